//! Integer dot products with one input, in AVX2.

use std::arch::x86_64::{
    __m256i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_shuffle_epi32, _mm_srli_epi16,
    _mm256_add_epi32, _mm256_and_si256, _mm256_castsi256_si128, _mm256_cvtepi8_epi16,
    _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_setzero_si256, _mm256_sub_epi16,
    _mm256_xor_si256,
};

use super::level::Level;
use super::load::prefetch;
#[cfg(feature = "avx512")]
use super::sums_avx512;
use crate::kernels::dot_quants::{GROUP, GROUP_BYTES};
use crate::kernels::kernel::Kernel;

/// Number of 8-bit elements that are widened at once.
const WIDENED: usize = 16;
/// Number of rows of weights computed together.
const ROWS: usize = 4;

/// Computes the portable `sums_int8`; returns `false` if nothing was computed.
pub fn sums_int8(level: Level, weights: &[i8], cols: usize, x: &[i8], sums: &mut [i32]) -> bool {
    let Some(rows) = weights.len().checked_div(cols) else { return false };
    let Some(x) = x.get(..cols) else { return false };
    let Some(sums) = sums.get_mut(..rows.min(sums.len())) else { return false };
    match level {
        Level::Avx2 => level.run(Int8 { weights, x, sums }),
        #[cfg(feature = "avx512")]
        // SAFETY: the level exists only if its instruction sets were detected; there is a row of weights of the
        // length of `x` for every sum.
        Level::Avx512 => unsafe { sums_avx512::sums_int8(weights.as_ptr(), x, sums) },
    }
    true
}

/// Computes a sum for every row of weights; there are `sums.len()` rows of the length of `x`.
struct Int8<'a> {
    weights: &'a [i8],
    x: &'a [i8],
    sums: &'a mut [i32],
}

impl Kernel for Int8<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { weights, x, sums } = self;
        let mut weights = weights.as_ptr();
        for sums in sums.chunks_mut(ROWS) {
            // SAFETY: kernels run at a level, which has AVX2; there is a row of weights for every sum, and
            // `wrapping_add` may go past the last one.
            unsafe {
                match sums {
                    [a, b, c, d] => [*a, *b, *c, *d] = widened(weights, x),
                    few => {
                        for (r, sum) in few.iter_mut().enumerate() {
                            [*sum] = widened(weights.add(r * x.len()), x);
                        }
                    }
                }
            }
            weights = weights.wrapping_add(ROWS * x.len());
        }
    }
}

/// Returns the sums of `R` rows. Integers are widened to 16 bits; two products always fit in 32 bits.
///
/// # Safety
/// Requires AVX2; `R` rows of the length of `x` must be readable from `weights` on.
#[inline(always)]
unsafe fn widened<const R: usize>(weights: *const i8, x: &[i8]) -> [i32; R] {
    let cols = x.len();
    let whole = cols - cols % WIDENED;
    // SAFETY: guaranteed by the caller; `i + 16 ≤ cols` in the first loop and `i < cols` in the second.
    unsafe {
        let mut parts = [_mm256_setzero_si256(); R];
        let mut i = 0;
        while i < whole {
            let x = _mm256_cvtepi8_epi16(_mm_loadu_si128(x.as_ptr().add(i).cast()));
            for r in 0..R {
                let row = weights.add(r * cols + i);
                let w = _mm256_cvtepi8_epi16(_mm_loadu_si128(row.cast()));
                parts[r] = _mm256_add_epi32(parts[r], _mm256_madd_epi16(w, x));
            }
            prefetch(weights.wrapping_add(R * i), R * WIDENED);
            i += WIDENED;
        }
        let mut sums = [0; R];
        for r in 0..R {
            sums[r] = total(parts[r]);
            for (i, x) in x.iter().enumerate().skip(whole) {
                let w = *weights.add(r * cols + i);
                sums[r] = i32::wrapping_add(sums[r], i32::from(w) * i32::from(*x));
            }
        }
        sums
    }
}

/// Returns the sum of eight integers.
///
/// # Safety
/// Requires AVX2.
#[inline(always)]
unsafe fn total(parts: __m256i) -> i32 {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let four =
            _mm_add_epi32(_mm256_castsi256_si128(parts), _mm256_extracti128_si256::<1>(parts));
        let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two)))
    }
}

/// Computes the portable `sums_int4`; returns `false` if nothing was computed.
pub fn sums_int4(
    level: Level,
    quants: &[u8],
    factors: &[u8],
    groups: usize,
    x: &[i8],
    sums: &mut [i32],
) -> bool {
    if groups == 0 || x.len().div_ceil(GROUP) != groups {
        return false;
    }
    let rows = (factors.len() / groups).min(quants.len() / GROUP_BYTES / groups);
    let Some(sums) = sums.get_mut(..rows.min(sums.len())) else { return false };
    level.run(Int4 { quants, factors, groups, x, sums });
    true
}

/// Computes a sum for every row of weights; there are `sums.len()` rows of `groups` groups each.
///
/// `x` has `groups` groups, of which the last may be shorter.
struct Int4<'a> {
    quants: &'a [u8],
    factors: &'a [u8],
    groups: usize,
    x: &'a [i8],
    sums: &'a mut [i32],
}

impl Kernel for Int4<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { quants, factors, groups, x, sums } = self;
        let (mut quants, mut factors) = (quants.as_ptr(), factors.as_ptr());
        for sums in sums.chunks_mut(ROWS) {
            // SAFETY: kernels run at a level, which has AVX2; there are `groups` groups of quants and `groups`
            // factors for every sum, and `wrapping_add` may go past the last one.
            unsafe {
                match sums {
                    [a, b, c, d] => [*a, *b, *c, *d] = grouped(quants, factors, groups, x),
                    few => {
                        for (r, sum) in few.iter_mut().enumerate() {
                            let quants = quants.add(r * groups * GROUP_BYTES);
                            [*sum] = grouped(quants, factors.add(r * groups), groups, x);
                        }
                    }
                }
            }
            quants = quants.wrapping_add(ROWS * groups * GROUP_BYTES);
            factors = factors.wrapping_add(ROWS * groups);
        }
    }
}

/// Returns the sums of `R` rows.
///
/// A 4-bit quant `q` becomes `q + 8`, from 0 to 15, for the multiplication of unsigned by signed bytes; the products
/// with 8 are subtracted afterwards. Sums of pairs are below `2·128·15 < 2^15` and then below `2^11`, so that two of
/// them times a factor fit in 32 bits.
///
/// # Safety
/// Requires AVX2; `R` rows of `groups` groups of quants and factors must be readable, and `x` must have `groups`
/// groups, of which the last may be shorter.
#[inline(always)]
unsafe fn grouped<const R: usize>(
    quants: *const u8,
    factors: *const u8,
    groups: usize,
    x: &[i8],
) -> [i32; R] {
    // SAFETY: guaranteed by the caller; a shorter last group of `x` is copied into a complete one.
    unsafe {
        let (eight, low) = (_mm256_set1_epi8(8), _mm256_set1_epi8(15));
        let mut parts = [_mm256_setzero_si256(); R];
        for (g, x) in x.chunks(GROUP).enumerate() {
            let mut last = [0i8; GROUP];
            let x = if x.len() < GROUP {
                for (to, x) in last.iter_mut().zip(x) {
                    *to = *x;
                }
                &last
            } else {
                x
            };
            let x = _mm256_loadu_si256(x.as_ptr().cast());
            let eights = _mm256_maddubs_epi16(eight, x);
            prefetch(quants.wrapping_add(R * g * GROUP_BYTES), R * GROUP_BYTES);
            for r in 0..R {
                let group = r * groups + g;
                let bytes = _mm_loadu_si128(quants.add(group * GROUP_BYTES).cast());
                // Columns 0 to 15 are in the low halves, 16 to 31 in the high ones.
                let halves = _mm256_set_m128i(_mm_srli_epi16::<4>(bytes), bytes);
                let shifted = _mm256_xor_si256(_mm256_and_si256(halves, low), eight);
                let pairs = _mm256_sub_epi16(_mm256_maddubs_epi16(shifted, x), eights);
                let factor = _mm256_set1_epi16(i16::from(*factors.add(group)));
                parts[r] = _mm256_add_epi32(parts[r], _mm256_madd_epi16(pairs, factor));
            }
        }
        let mut sums = [0; R];
        for r in 0..R {
            sums[r] = total(parts[r]);
        }
        sums
    }
}
