//! The transformer's operations on dfdx tensors, composed from dfdx's own, and in `fused` faster ones
//! that compute the same. [`Operations`] picks: what a device and an element have no faster one for is
//! composed.
//!
//! Activations are matrices `(batch·length, width)`, so that one projection is one matrix product.
//! Every function is generic over the element, the device and the tape: with [`NoneTape`] it only
//! computes, with an [`OwnedTape`] it also records its gradient. Sizes are checked by the model
//! before it gets here; sizes that do not fit panic inside dfdx.
//!
//! dfdx 0.13's `slice` *overwrites* the gradient of its input where it should add to it, so nothing
//! here slices a tensor that has another use.
//!
//! [`NoneTape`]: dfdx::tensor::NoneTape
//! [`OwnedTape`]: dfdx::tensor::OwnedTape

mod activation;
mod attend;
mod attention;
mod cross_entropy;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod dropout;
mod embedding;
mod faster;
mod feed_forward;
pub(crate) mod fused;
mod norm;
mod operations;
mod precision;
pub(crate) mod profile;
mod projection;
mod relative;
mod rotary;
#[cfg(test)]
mod testing;

pub use activation::{gelu, relu, silu};
pub use attend::{AttentionSites, AttentionWeights, Override, attend};
pub use attention::{Heads, Mask, attention};
pub use cross_entropy::{cross_entropy, log_probabilities};
pub use dropout::{Dropout, dropout};
pub use embedding::{Fixed, Placed, add_rows, embed, lookup};
pub use feed_forward::{FeedForward, feed_forward};
pub use norm::{layer_norm, rms_norm};
pub use operations::Operations;
pub use precision::Precision;
pub use projection::{masked_projection, projection};
pub use relative::{Relative, differences, digit_columns, digit_terms, relative_scores};
pub use rotary::{Rotary, rotate};

use dfdx::tensor::{NoneTape, Tensor};

/// A matrix of runtime size.
pub type Matrix<E, D, T = NoneTape> = Tensor<(usize, usize), E, D, T>;
/// A vector of runtime size.
pub type Vector<E, D, T = NoneTape> = Tensor<(usize,), E, D, T>;
/// A three-dimensional tensor of runtime size.
pub type Cube<E, D, T = NoneTape> = Tensor<(usize, usize, usize), E, D, T>;
/// A four-dimensional tensor of runtime size.
pub type Hyper<E, D, T = NoneTape> = Tensor<(usize, usize, usize, usize), E, D, T>;
