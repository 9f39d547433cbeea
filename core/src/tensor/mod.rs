//! Rows of a matrix, whichever library owns it: all that encodings need to know of one.

#[cfg(feature = "heapless")]
mod adapter_heapless;
#[cfg(feature = "ndarray")]
mod adapter_ndarray;
mod rows;

pub use rows::{Flat, Rows};
