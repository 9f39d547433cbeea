//! The arithmetic of the decoder: dot products, matrix products, norms, softmax, activations.
//!
//! The order of operations of every kernel is fixed, so results do not depend on how many rows are computed
//! together: decoding token by token and in chunks is bit-identical.

mod activation;
mod arch;
mod cache_format;
mod dot;
mod dot_quants;
mod inputs;
pub mod integer;
mod kernel;
mod lanes;
mod matrix;
mod matvec;
mod norm;
mod portable;
mod quantize;
mod rows;
mod scores;
mod softmax;
mod stored;
mod sums;

pub use activation::{gelu, relu, silu, swiglu};
pub use cache_format::CacheFormat;
pub use dot::dot;
pub use dot_quants::{
    GROUP, GROUP_BYTES, INT4_MAX_COLS, INT8_MAX_COLS, dot_int4, dot_int8, dot_int8_rows, high_half,
    low_half, unpack_group,
};
pub use inputs::Inputs;
pub use matrix::{Matrix, Weights};
pub use matvec::{add_weighted_rows, matvec, matvec_add};
pub use norm::{layer_norm, rms_norm};
pub use quantize::{quantize, quantize_bf16};
pub use rows::{RowIter, RowIterMut, rows, rows_mut};
pub(crate) use scores::position_scores;
pub use softmax::softmax;
pub use stored::{Bf16, F16, F32, I8, Stored, StoredSlice};
pub use sums::{sums_int4, sums_int8};
