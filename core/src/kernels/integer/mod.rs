//! The kernels in integer arithmetic: no floating-point instructions, and bit-identical on every target.
//!
//! Numbers are 32-bit integers in units of `2^exponent`; scales are `f32`s whose bits are read as integers (see
//! [`Multiplier`](crate::num::Multiplier)). Results that do not fit saturate, unless a function says otherwise.

mod activation;
mod folded;
mod matvec;
mod norm;
mod quantize;
mod softmax;
mod weighted;

pub use activation::{gelu, relu, silu, swiglu};
pub(crate) use folded::{
    FOLDED_LIMIT, FOLDED_UNIT, TERM_SHIFT, add_folded, add_terms, distance_bound, dot_folded,
};
pub use matvec::{project, project_add};
pub use norm::norm;
pub use quantize::{digits, largest, quantize, quantize_bf16};
pub use softmax::softmax;
pub use weighted::add_weighted_rows;
