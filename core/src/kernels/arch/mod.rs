//! Kernels for the instructions of specific processors, each bit-identical to its portable reference.
//!
//! This is the only `unsafe` code of the crate. The exported functions are safe: they check the lengths of their
//! slices and, on hosts, detect the processor's features. They return `false` or 0 if there is no kernel; the
//! caller then uses the portable one.
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
#[allow(dead_code, reason = "which of these functions are used depends on the processor")]
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
