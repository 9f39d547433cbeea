//! Placeholders for kernels that do not exist for a processor: they compute nothing and return `false` or 0.

use crate::kernels::inputs::{Inputs, QuantRows};
use crate::kernels::kernel::{Kernel, MAX_TILE_INPUTS, TILE_OUTPUTS};
use crate::kernels::stored::StoredSlice;

#[inline(always)]
pub fn vectorized(kernel: impl Kernel) {
    kernel.run();
}

#[inline(always)]
pub const fn each_dot(
    _: Option<StoredSlice<'_>>,
    _: usize,
    _: &Inputs<'_>,
    _: &mut [f32],
    _: usize,
    _: bool,
) -> bool {
    false
}

#[inline(always)]
pub const fn add_rows(_: &[f32], _: Option<StoredSlice<'_>>, _: &mut [f32]) -> bool {
    false
}

#[inline(always)]
pub const fn sums_int8(_: &[i8], _: usize, _: &[i8], _: &mut [i32]) -> bool {
    false
}

#[inline(always)]
pub const fn requantize(_: (u32, u32, i32), _: &[i32], _: &[f32], _: &mut [i32], _: bool) -> usize {
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
    _: &QuantRows<'_>,
    _: &mut [[i32; TILE_OUTPUTS]; MAX_TILE_INPUTS],
) -> usize {
    0
}

#[inline(always)]
pub const fn int4_tile(
    _: &[u8],
    _: &[u8],
    _: usize,
    _: usize,
    _: &QuantRows<'_>,
    _: &mut [[i32; TILE_OUTPUTS]; MAX_TILE_INPUTS],
) -> usize {
    0
}
