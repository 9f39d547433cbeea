//! Kernels in the instructions of one processor family; each has a twin in plain Rust, which says what it
//! computes. The only `unsafe` code of the crate.
#![allow(unsafe_code)]

#[cfg(expe_dsp)]
mod arm;
#[cfg(not(expe_dsp))]
mod portable;

#[cfg(expe_dsp)]
use arm as host;
#[cfg(not(expe_dsp))]
use portable as host;

pub(super) use host::{sums_int4, sums_int8};
