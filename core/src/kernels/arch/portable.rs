//! Where there are no kernels for the processor.

use super::{Codes, INPUTS, Kernel, OUTPUTS};
use crate::kernels::{Inputs, Named};

#[inline(always)]
pub fn vectorised(kernel: impl Kernel) {
    kernel.run();
}

#[inline(always)]
pub const fn each_dot(
    _: Option<Named<'_>>,
    _: usize,
    _: &Inputs<'_>,
    _: &mut [f32],
    _: usize,
    _: bool,
) -> bool {
    false
}

#[inline(always)]
pub const fn add_rows(_: &[f32], _: Option<Named<'_>>, _: &mut [f32]) -> bool {
    false
}

#[inline(always)]
pub const fn sums_int8(_: &[i8], _: usize, _: &[i8], _: &mut [i32]) -> bool {
    false
}

#[inline(always)]
pub const fn requantise(_: (u32, u32, i32), _: &[i32], _: &[f32], _: &mut [i32], _: bool) -> usize {
    0
}

#[inline(always)]
pub const fn add_weighted(_: &[i32], _: &[i8], _: &mut [i32]) -> usize {
    0
}

#[inline(always)]
pub const fn sums_int4(_: &[u8], _: &[u8], _: usize, _: &[i8], _: &mut [i32]) -> bool {
    false
}

#[inline(always)]
pub const fn int8_tile(
    _: &[i8],
    _: usize,
    _: usize,
    _: &Codes<'_>,
    _: &mut [[i32; OUTPUTS]; INPUTS],
) -> usize {
    0
}

#[inline(always)]
pub const fn int4_tile(
    _: &[u8],
    _: &[u8],
    _: usize,
    _: usize,
    _: &Codes<'_>,
    _: &mut [[i32; OUTPUTS]; INPUTS],
) -> usize {
    0
}
