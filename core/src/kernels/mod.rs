//! The arithmetic of the decoder: dot products, matrix times rows, norms, softmax, activations.
//!
//! Every kernel fixes its order of operations, so that a result depends on the numbers alone and
//! not on how many rows are computed together: token by token and in chunks give the same bits.

mod activation;
mod dot;
mod matrix;
mod matvec;
mod norm;
mod rows;
mod softmax;
mod stored;

pub use activation::{gelu, relu, silu, swiglu};
pub use dot::dot;
pub use matrix::{Matrix, Weights};
pub use matvec::{Inputs, add_weighted_rows, matvec, matvec_add};
pub use norm::{layer_norm, rms_norm};
pub use rows::{Rows, RowsMut, rows, rows_mut};
pub use softmax::softmax;
pub use stored::{F16, F32, Stored};
