use serde::{Deserialize, Serialize};

/// The precision of matrix products with weights during training: projections, MLP and head.
///
/// Everything else is computed in `f32` with either precision: parameters, optimizer moments, the residual
/// stream, the products of queries, keys and values, norms, softmax, activation functions and the loss. On an
/// NVIDIA GPU, mixed precision uses the fast `f16` units. The CPU computes the same results, more slowly than in
/// `f32`, so that mixed precision can be tested without a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Operands and sums in `f32`.
    #[default]
    F32,
    /// Operands rounded to `f16` and sums in `f32`, forward and backward. The loss is scaled so that gradients
    /// stay within the range of `f16` (Micikevicius et al., "Mixed Precision Training", 2018).
    Mixed,
}

impl Precision {
    /// All precisions.
    pub const ALL: [Self; 2] = [Self::F32, Self::Mixed];

    /// Returns the name used in configurations and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Mixed => "mixed",
        }
    }
}
