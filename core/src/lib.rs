//! Exact positional encodings and a small transformer engine: `no_std`, no allocator, no panic.
//!
//! The floors, from the bottom up; each knows only those before it:
//!
//! | floor | what it holds |
//! |---|---|
//! | [`num`], [`token`] | number formats and elementary functions; text to tokens and back |
//! | [`position`], `kernels` | the position encodings, one file each; matrix products, norms, softmax, activations |
//! | `shape` | [`Config`], the tensors that follow from it, and the sizes of buffers |
//! | [`format`](mod@format) | the `.expe` model file |
//! | `model` | [`Model`], [`Decoder`], [`KvCache`], [`Sampler`] |
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
pub mod internals;
mod kernels;
mod model;
pub mod num;
pub mod position;
mod shape;
pub mod tensor;
pub mod token;

pub use error::Error;
pub use kernels::{CacheFormat, F16, F32, I8};
pub use model::{
    Attend, DecodeError, Decoder, Float, ForwardPass, Integer, KvCache, Logit, MemoryError, Model,
    SampleError, Sampler, Workspace,
};
pub use shape::{Activation, Config, ConfigError, Norm};
pub use token::{TextStream, Tokenizer};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(doctest)]
#[doc = include_str!("../docs/numbers.md")]
mod numbers {}
