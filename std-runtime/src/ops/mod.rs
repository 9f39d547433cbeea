//! The transformer's operations on dfdx tensors.
//!
//! [`Backend`] is what models are built from. On devices with [`Kernels`], the raw operations on plain matrices,
//! each building block is one operation on dfdx's tape, written once; for other elements it is [`composed`]
//! from dfdx's own operations, which is the reference in tests. All that relies on the insides of dfdx and
//! cudarc is in [`bridge`].
//!
//! Activations are matrices `(batch·length, width)`, so that one projection is one matrix product.
//! Every function is generic over the device and the tape: with [`NoneTape`] it only computes, with an
//! [`OwnedTape`] it also records its gradient. Sizes are checked by the model; sizes that do not fit panic.
//!
//! [`NoneTape`]: dfdx::tensor::NoneTape
//! [`OwnedTape`]: dfdx::tensor::OwnedTape

mod adamw;
mod attention;
mod backend;
pub mod bridge;
pub mod composed;
mod cross_entropy;
mod dropout;
mod embedding;
mod feed_forward;
mod kernels;
mod layout;
mod linear;
mod norm;
mod optimizer;
mod projection;
mod residual;
mod sites;
pub mod trace;
pub mod view;

pub use adamw::AdamWStep;
pub use backend::Backend;
pub use bridge::{scalar, tensor};
pub use dropout::{Dropout, dropout};
pub use embedding::{Fixed, Placed};
pub use feed_forward::FeedForward;
pub use kernels::{EmbeddingShape, Kernels, NormKind, Positions, SavedAttention, Side, Turn};
pub use layout::{Heads, Layout};
pub use optimizer::{GradientList, reduce, update};
pub use sites::{AttentionSites, AttentionWeights, Override};

use dfdx::tensor::{NoneTape, Tensor};

/// A matrix of runtime size.
pub type Matrix<E, D, T = NoneTape> = Tensor<(usize, usize), E, D, T>;
/// A vector of runtime size.
pub type Vector<E, D, T = NoneTape> = Tensor<(usize,), E, D, T>;
/// A three-dimensional tensor of runtime size.
pub type Cube<E, D, T = NoneTape> = Tensor<(usize, usize, usize), E, D, T>;
/// A four-dimensional tensor of runtime size.
pub type Hyper<E, D, T = NoneTape> = Tensor<(usize, usize, usize, usize), E, D, T>;
