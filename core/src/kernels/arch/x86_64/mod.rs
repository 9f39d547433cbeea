//! Kernels for AVX2 and AVX-512, detected at run time.
//!
//! Floating-point kernels use the same order as the portable ones, eight partial sums and no fused operations, so
//! that they are bit-identical. On the processors measured, separate products and sums are a tenth slower than
//! fused ones.

// Arrays of registers are indexed by constants once loops are unrolled; with iterators they stay in memory.
#![allow(clippy::indexing_slicing, clippy::needless_range_loop)]

mod dots;
mod level;
mod load;
mod rows;
mod sums;
#[cfg(feature = "avx512")]
mod sums_avx512;
#[cfg(test)]
mod tests;
mod tile;
mod tile_avx2;
#[cfg(feature = "avx512")]
mod tile_avx512;
mod tiles;

use crate::kernels::inputs::{Inputs, QuantRows};
use crate::kernels::kernel::{MAX_TILE_INPUTS, TILE_OUTPUTS};
use crate::kernels::stored::{Bf16, F16, F32, I8, StoredSlice};
use dots::Dots;
use level::Level;
pub use level::vectorized;
use rows::AddRows;

/// Computes the dot products of `matvec`, or of `matvec_add` if `add`; returns `false` if nothing was computed.
pub fn each_dot(
    weights: Option<StoredSlice<'_>>,
    cols: usize,
    inputs: &Inputs<'_>,
    outputs: &mut [f32],
    outs: usize,
    add: bool,
) -> bool {
    match (Level::found(), weights) {
        (Some(level), Some(weights)) => {
            each_dot_at(level, weights, cols, inputs, outputs, outs, add)
        }
        _ => false,
    }
}

fn each_dot_at(
    level: Level,
    weights: StoredSlice<'_>,
    cols: usize,
    inputs: &Inputs<'_>,
    outputs: &mut [f32],
    outs: usize,
    add: bool,
) -> bool {
    macro_rules! run {
        ($format:ty, $weights:expr, $inputs:literal) => {
            match Dots::<'_, $format, $inputs>::new($weights, cols, inputs, outputs, outs, add) {
                Some(dots) => level.run(dots),
                None => return false,
            }
        };
    }
    match (level, weights) {
        (Level::Avx2, StoredSlice::F32(weights)) => run!(F32, weights, 2),
        (Level::Avx2, StoredSlice::F16(weights)) => run!(F16, weights, 2),
        (Level::Avx2, StoredSlice::Bf16(weights)) => run!(Bf16, weights, 2),
        (Level::Avx2, StoredSlice::I8(weights)) => run!(I8, weights, 2),
        #[cfg(feature = "avx512")]
        (Level::Avx512, StoredSlice::F32(weights)) => run!(F32, weights, 5),
        #[cfg(feature = "avx512")]
        (Level::Avx512, StoredSlice::F16(weights)) => run!(F16, weights, 5),
        #[cfg(feature = "avx512")]
        (Level::Avx512, StoredSlice::Bf16(weights)) => run!(Bf16, weights, 5),
        #[cfg(feature = "avx512")]
        (Level::Avx512, StoredSlice::I8(weights)) => run!(I8, weights, 5),
    }
    true
}

/// Computes `add_weighted_rows`; returns `false` if nothing was computed.
pub fn add_rows(factors: &[f32], matrix: Option<StoredSlice<'_>>, y: &mut [f32]) -> bool {
    match (Level::found(), matrix) {
        (Some(level), Some(matrix)) if !y.is_empty() => {
            add_rows_at(level, factors, matrix, y);
            true
        }
        _ => false,
    }
}

fn add_rows_at(level: Level, factors: &[f32], matrix: StoredSlice<'_>, y: &mut [f32]) {
    match matrix {
        StoredSlice::F32(matrix) => level.run(AddRows::<F32> { factors, matrix, y }),
        StoredSlice::F16(matrix) => level.run(AddRows::<F16> { factors, matrix, y }),
        StoredSlice::Bf16(matrix) => level.run(AddRows::<Bf16> { factors, matrix, y }),
        StoredSlice::I8(matrix) => level.run(AddRows::<I8> { factors, matrix, y }),
    }
}

/// Computes the portable `sums_int8`; returns `false` if nothing was computed.
pub fn sums_int8(weights: &[i8], cols: usize, x: &[i8], sums: &mut [i32]) -> bool {
    Level::found().is_some_and(|level| sums::sums_int8(level, weights, cols, x, sums))
}

/// Computes the portable `sums_int4`; returns `false` if nothing was computed.
pub fn sums_int4(quants: &[u8], factors: &[u8], groups: usize, x: &[i8], sums: &mut [i32]) -> bool {
    Level::found().is_some_and(|level| sums::sums_int4(level, quants, factors, groups, x, sums))
}

/// Computes the portable `sums_int8` for several inputs and returns the number of inputs.
pub fn int8_tile(
    weights: &[i8],
    cols: usize,
    rows: usize,
    x: &QuantRows<'_>,
    sums: &mut [[i32; TILE_OUTPUTS]; MAX_TILE_INPUTS],
) -> usize {
    Level::found().map_or(0, |level| tiles::int8(level, weights, cols, rows, x, sums))
}

/// Computes the portable `sums_int4` for several inputs and returns the number of inputs.
pub fn int4_tile(
    quants: &[u8],
    factors: &[u8],
    cols: usize,
    rows: usize,
    x: &QuantRows<'_>,
    sums: &mut [[i32; TILE_OUTPUTS]; MAX_TILE_INPUTS],
) -> usize {
    Level::found().map_or(0, |level| tiles::int4(level, quants, factors, cols, rows, x, sums))
}
