#![doc = include_str!("../README.md")]
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
mod token;

pub use error::Error;
pub use kernels::{CacheFormat, F16, F32, I8};
pub use model::{
    Attend, DecodeError, Decoder, Float, ForwardPass, Integer, KvCache, Logit, MemoryError, Model,
    SampleError, Sampler, Workspace,
};
pub use shape::{Activation, Config, ConfigError, Norm};
pub use token::{EncodeError, TextStream, Tokenizer};

/// Compiles the examples of `docs/numbers.md`.
#[cfg(doctest)]
#[doc = include_str!("../docs/numbers.md")]
mod numbers {}
