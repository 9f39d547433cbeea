//! The arithmetic of the decoder: dot products, matrix times rows, norms, softmax, activations.
//!
//! Every kernel fixes its order of operations, so that a result depends on the numbers alone and
//! not on how many rows are computed together: token by token and in chunks give the same bits.

mod activation;
mod arch;
mod dot;
pub mod integer;
mod lanes;
mod matrix;
mod matvec;
mod norm;
mod quantize;
mod quants;
mod rows;
mod scores;
mod softmax;
mod stored;

pub use activation::{gelu, relu, silu, swiglu};
pub use dot::dot;
pub use matrix::{Matrix, Weights};
pub use matvec::{Inputs, add_weighted_rows, matvec, matvec_add};
pub use norm::{layer_norm, rms_norm};
pub use quantize::{quantize, quantize_bf16};
pub use quants::{
    GROUP, GROUP_BYTES, INT4_MAX_COLS, INT8_MAX_COLS, dot_int4, dot_int8, dot_int8_rows, high_half,
    low_half, sums_int4, sums_int8, unpack_group,
};
pub use rows::{RowIter, RowIterMut, rows, rows_mut};
pub(crate) use scores::position_scores;
pub use softmax::softmax;
pub use stored::{Bf16, F16, F32, I8, Stored, StoredSlice};
