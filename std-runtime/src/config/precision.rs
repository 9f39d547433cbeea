use serde::{Deserialize, Serialize};

/// The precision of training's products with weights: projections, MLP, and the head.
///
/// Parameters, moments, the residual stream, attention's products of queries, keys, and values, and everything
/// between products (norms, softmax, activations, the loss) are `f32` either way. On an NVIDIA GPU mixed
/// precision uses the fast units for `f16`; a processor computes the same numbers, to test what a GPU will do,
/// and is slower than in `f32`.
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
    /// All precisions.
    pub const ALL: [Self; 2] = [Self::F32, Self::Mixed];

    /// The name in configurations and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Mixed => "mixed",
        }
    }
}
