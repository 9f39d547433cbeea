//! The kernels of the integer arithmetic, twins of the floating-point ones: no float instruction, and
//! the same bits on every target.
//!
//! Numbers are 32-bit integers in units of `2^exponent`; scales are read from `f32`s by their bits
//! (see [`Multiplier`](crate::num::Multiplier)). Whatever does not fit saturates; nothing wraps.

mod activation;
mod columns;
mod matvec;
mod norm;
mod quantise;
mod softmax;
mod weighted;

pub use activation::{gelu, relu, silu, swiglu};
pub(crate) use columns::{
    COLUMN, COLUMN_LIMIT, TERM_CUT, add_columns, add_terms, dot_columns, reach,
};
pub use matvec::{project, project_add};
pub use norm::norm;
pub use quantise::{digits, largest, quantise, quantise_coarse};
pub use softmax::softmax;
pub use weighted::add_weighted_rows;
