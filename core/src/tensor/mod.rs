//! Tensor-agnostic views: the one thing that the encodings need to know about a tensor library.

#[cfg(feature = "heapless")]
mod adapter_heapless;
#[cfg(feature = "ndarray")]
mod adapter_ndarray;
mod rows;

pub use rows::{Flat, Rows};
