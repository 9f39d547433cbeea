//! Exact positional encodings and a small transformer engine: `no_std`, no allocator, no panic.
//!
//! The parts, from the bottom up (each knows only those above it in this list):
//!
//! | module | what it holds |
//! |---|---|
//! | [`num`] | the number formats ([`num::Element`]), the elementary functions, integer phase, a random generator |
//! | [`tensor`] | rows of elements in slices, arrays, `heapless` vectors and `ndarray` views |
//! | [`position`] | the position encodings, one file each, and the four sites where they act |
//! | [`kernels`] | dot product, matrix times vector, norms, softmax, activations |
//! | [`token`] | text to tokens and back |
//! | [`format`](mod@format) | the `.expe` model file |
//! | [`model`] | configuration, weights, key-value cache, the decoder, sampling |
//!
//! Nothing here allocates or panics, and `unsafe` is in `kernels/arch` alone, in kernels for particular
//! processors that have a twin in plain Rust: every buffer belongs to the caller and every
//! failure is a typed error that carries the numbers.
//!
//! Two pages in the crate's folder hold the mathematics: `docs/positions.md` the encodings and their
//! lengths, `docs/numbers.md` the number formats, the formulas of quantization and the bound of every
//! integer sum.
#![no_std]
#![deny(
    unsafe_code,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used))]

#[cfg(any(test, feature = "std"))]
extern crate std;

#[cfg(target_endian = "big")]
compile_error!(
    "expe-core reads little-endian model files in place; big-endian targets are not supported"
);

mod error;
pub mod format;
pub mod kernels;
pub mod model;
pub mod num;
pub mod position;
pub mod tensor;
pub mod token;

pub use error::Error;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(doctest)]
#[doc = include_str!("../docs/numbers.md")]
mod numbers {}
