//! Selection of the kernel for a tile of outputs of an integer matrix.

use super::level::Level;
use super::tile::{Block, ROWS};
use super::tile_avx2::{self, WIDENED};
#[cfg(feature = "avx512")]
use super::tile_avx512;
use crate::kernels::dot_quants::{GROUP, GROUP_BYTES};
use crate::kernels::inputs::QuantRows;
use crate::kernels::kernel::{MAX_TILE_INPUTS, TILE_OUTPUTS};
use crate::num::invariant::slice_mut;

/// Number of inputs per tile with AVX2, whose sixteen registers hold eight sums, four rows and an input.
const AVX2_INPUTS: usize = 2;
/// Number of inputs per tile with AVX-512, which has twice as many registers.
#[cfg(feature = "avx512")]
const AVX512_INPUTS: usize = 4;

/// Computes the portable `sums_int8` for several inputs and returns the number of inputs.
pub fn int8(
    level: Level,
    weights: &[i8],
    cols: usize,
    rows: usize,
    x: &QuantRows<'_>,
    sums: &mut [[i32; TILE_OUTPUTS]; MAX_TILE_INPUTS],
) -> usize {
    let sums = slice_mut(sums, ..x.count(cols));
    let whole = weights.len().checked_div(cols).is_some_and(|there| there >= rows);
    if !whole || !(ROWS..=TILE_OUTPUTS).contains(&rows) || cols < WIDENED || sums.is_empty() {
        return 0;
    }
    let (weights, stride, count, x) = (weights.as_ptr(), x.stride, sums.len(), x.data.as_ptr());
    match level {
        Level::Avx2 => {
            let weights = tile_avx2::Int8 { weights, cols };
            level.run(Block::<_, AVX2_INPUTS> { weights, rows, x, stride, sums });
        }
        #[cfg(feature = "avx512")]
        Level::Avx512 => {
            let weights = tile_avx512::Int8 { weights, cols };
            // SAFETY: the level exists only if its instruction sets were detected.
            unsafe {
                super::level::avx512(Block::<_, AVX512_INPUTS> { weights, rows, x, stride, sums })
            };
        }
    }
    count
}

/// Computes the portable `sums_int4` for several inputs and returns the number of inputs.
pub fn int4(
    level: Level,
    quants: &[u8],
    factors: &[u8],
    cols: usize,
    rows: usize,
    x: &QuantRows<'_>,
    sums: &mut [[i32; TILE_OUTPUTS]; MAX_TILE_INPUTS],
) -> usize {
    let groups = cols.div_ceil(GROUP);
    let there = factors.len().min(quants.len() / GROUP_BYTES).checked_div(groups);
    // AVX2 reads whole groups of inputs.
    let read = if level == Level::Avx2 { groups * GROUP } else { cols };
    let sums = slice_mut(sums, ..x.count(read));
    let whole = there.is_some_and(|there| there >= rows);
    if !whole || !(ROWS..=TILE_OUTPUTS).contains(&rows) || sums.is_empty() {
        return 0;
    }
    let (quants, factors) = (quants.as_ptr(), factors.as_ptr());
    let (stride, count, x) = (x.stride, sums.len(), x.data.as_ptr());
    match level {
        Level::Avx2 => {
            let weights = tile_avx2::Int4 { quants, factors, groups, cols };
            level.run(Block::<_, AVX2_INPUTS> { weights, rows, x, stride, sums });
        }
        #[cfg(feature = "avx512")]
        Level::Avx512 => {
            let weights = tile_avx512::Int4 { quants, factors, groups, cols };
            // SAFETY: the level exists only if its instruction sets were detected.
            unsafe {
                super::level::avx512(Block::<_, AVX512_INPUTS> { weights, rows, x, stride, sums })
            };
        }
    }
    count
}
