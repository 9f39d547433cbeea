//! Kernels in the instructions of one processor family, each with the bits of its portable reference. The only
//! `unsafe` code of the crate.
//!
//! The functions exported here are safe: they check the lengths of their slices and, on a host, detect what
//! the processor has. They return `false` or 0 where there is no kernel, and the caller computes portably.
#![allow(unsafe_code)]

#[cfg(expe_dsp)]
mod arm;
#[cfg(any(expe_base, expe_mve))]
mod arm_base;
#[cfg(all(expe_dsp, target_abi = "eabihf"))]
mod arm_fpu;
#[cfg(expe_mve)]
mod arm_mve;
#[cfg(all(expe_base, not(expe_dsp)))]
mod arm_sums;
#[allow(
    dead_code,
    reason = "some processors have it all, others some of it, in their own instructions"
)]
mod none;
#[cfg(all(target_arch = "riscv32", target_feature = "m"))]
mod riscv;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod x86_64;

#[cfg(expe_dsp)]
pub(super) use arm::sums_int8;
#[cfg(any(expe_base, expe_mve))]
pub(super) use arm_base::add_weighted;
#[cfg(all(expe_dsp, target_abi = "eabihf"))]
pub(super) use arm_fpu::{add_rows, each_dot};
#[cfg(expe_mve)]
pub(super) use arm_mve::{requantize, sums_int8};
#[cfg(all(expe_base, not(expe_dsp)))]
pub(super) use arm_sums::sums_int8;
#[cfg(not(any(expe_base, expe_mve)))]
pub(super) use none::add_weighted;
#[cfg(not(expe_mve))]
pub(super) use none::requantize;
#[cfg(not(all(feature = "std", target_arch = "x86_64")))]
pub(super) use none::sums_int4;
#[cfg(not(any(
    expe_base,
    expe_mve,
    all(target_arch = "riscv32", target_feature = "m"),
    all(feature = "std", target_arch = "x86_64")
)))]
pub(super) use none::sums_int8;
#[cfg(not(any(
    all(expe_dsp, target_abi = "eabihf"),
    all(feature = "std", target_arch = "x86_64")
)))]
pub(super) use none::{add_rows, each_dot};
#[cfg(not(all(feature = "std", target_arch = "x86_64")))]
pub(super) use none::{int4_tile, int8_tile, vectorized};
#[cfg(all(target_arch = "riscv32", target_feature = "m"))]
pub(super) use riscv::sums_int8;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
pub(super) use x86_64::{
    add_rows, each_dot, int4_tile, int8_tile, sums_int4, sums_int8, vectorized,
};
