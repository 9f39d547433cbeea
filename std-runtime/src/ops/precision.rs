use serde::{Deserialize, Serialize};

/// The numbers that training computes products with weights with: projections, MLP, and the head.
///
/// Parameters, moments, the residual stream, attention's products of queries, keys and values, and what lies
/// between products (norms, softmax, activations, the loss) are `f32` either way. On an NVIDIA GPU
/// mixed precision is what its fast units for `f16` are used with; a processor computes the same numbers, to
/// test on it what a GPU will do, and takes longer than in `f32`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Factors and sums in `f32`.
    #[default]
    F32,
    /// Factors rounded to `f16`, sums in `f32`, forward and backward, and a loss that is scaled
    /// so that gradients stay inside the range of `f16` (Micikevicius et al., "Mixed Precision
    /// Training", 2018).
    Mixed,
}

impl Precision {
    /// What a row's derivatives of the loss by its logits, which lie between -1 and 1 times its `share` in
    /// the loss, are multiplied by instead of `share` while they are factors of products, and what
    /// the products are to be multiplied by then. The reach of `f16` is made use of whatever the share
    /// and the scale of the loss are.
    pub(crate) fn shares(self, share: f32) -> (f32, f32) {
        const REACH: f32 = 16384.0;
        match self {
            Self::F32 => (share, 1.0),
            Self::Mixed => (REACH, share / REACH),
        }
    }

    /// All of them, for whoever has to name one.
    pub const ALL: [Self; 2] = [Self::F32, Self::Mixed];

    /// The name in configurations and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Mixed => "mixed",
        }
    }
}
