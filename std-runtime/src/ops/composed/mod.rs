//! The transformer's operations composed from dfdx's own, for any element: the reference in tests, in `f64`.
//!
//! dfdx 0.13's `slice` *overwrites* the gradient of its input where it should add to it, so nothing here slices a
//! tensor that has another use.

mod activation;
mod attend;
mod attention;
mod cross_entropy;
mod embedding;
mod feed_forward;
mod norm;
mod projection;
mod relative;
mod rotary;
#[cfg(test)]
pub(super) mod testing;

pub use activation::{gelu, relu, silu};
pub use attend::attend;
pub use attention::{Mask, attention};
pub use cross_entropy::{cross_entropy, log_probabilities};
pub use embedding::{add_rows, embed, lookup};
pub use feed_forward::feed_forward;
pub use norm::{layer_norm, rms_norm};
pub use projection::{masked_projection, projection};
pub use relative::{Relative, differences, digit_columns, digit_terms, relative_scores};
pub use rotary::{Rotary, rotate};
