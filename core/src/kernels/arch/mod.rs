//! Kernels in the instructions of one processor family; each has a twin in plain Rust, which says what it
//! computes, and gives the same bits. The only `unsafe` code of the crate.
//!
//! What leads to it is safe: the functions here check the lengths and, on a host, find out what the
//! processor has; where there is nothing for it they say so, and the plain twin goes to work.
#![allow(unsafe_code)]

#[cfg(expe_dsp)]
mod arm;
#[cfg(not(all(feature = "std", target_arch = "x86_64")))]
#[cfg_attr(expe_dsp, allow(dead_code, reason = "sums of integers are in `arm`"))]
mod portable;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod x86_64;

#[cfg(expe_dsp)]
pub(super) use arm::{sums_int4, sums_int8};
#[cfg(not(any(expe_dsp, all(feature = "std", target_arch = "x86_64"))))]
pub(super) use portable::{add_rows, each_dot, sums_int4, sums_int8, vectorised};
#[cfg(expe_dsp)]
pub(super) use portable::{add_rows, each_dot, vectorised};
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(super) use x86_64::{add_rows, each_dot, sums_int4, sums_int8, vectorised};

/// A portable kernel that the compiler turns into vector instructions, where it may use them.
pub(super) trait Kernel {
    /// Compute; implementations are `#[inline(always)]`, to be compiled anew for every processor.
    fn run(self);
}
