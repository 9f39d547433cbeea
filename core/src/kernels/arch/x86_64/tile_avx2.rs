//! Integer tiles in AVX2.

use std::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi32, _mm_loadu_si128, _mm_setzero_si128, _mm_srli_epi16,
    _mm256_add_epi32, _mm256_and_si256, _mm256_castsi256_si128, _mm256_cvtepi8_epi16,
    _mm256_extracti128_si256, _mm256_hadd_epi32, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_setzero_si256, _mm256_sub_epi8, _mm256_xor_si256,
};

use super::tile::{ROWS, Tile};
use crate::kernels::dot_quants::{GROUP, GROUP_BYTES};

/// Number of 8-bit elements that are widened at once.
pub const WIDENED: usize = 16;

/// Rows of at least 16 8-bit integers, which are widened to 16 bits.
pub struct Int8 {
    pub weights: *const i8,
    pub cols: usize,
}

impl Tile for Int8 {
    #[inline(always)]
    unsafe fn sums<const C: usize>(&self, o: usize, x: *const i8, stride: usize) -> [__m128i; C] {
        let cols = self.cols;
        let whole = cols - cols % WIDENED;
        // SAFETY: guaranteed by the caller; `i + 16 ≤ cols` in the loop. The remaining columns are read together
        // with preceding ones, whose inputs are masked to zero.
        unsafe {
            let w = self.weights.add(o * cols);
            let mut parts = [[_mm256_setzero_si256(); ROWS]; C];
            let mut i = 0;
            while i < whole {
                widened(&mut parts, w.add(i), cols, x.add(i), stride, _mm256_set1_epi8(-1));
                i += WIDENED;
            }
            if whole < cols {
                let i = cols - WIDENED;
                let mask = _mm_loadu_si128(LAST.as_ptr().add(cols - whole).cast());
                let mask = _mm256_cvtepi8_epi16(mask);
                widened(&mut parts, w.add(i), cols, x.add(i), stride, mask);
            }
            let mut sums = [_mm_setzero_si128(); C];
            for c in 0..C {
                sums[c] = totals(parts[c]);
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn excess(&self, _: usize) -> __m128i {
        // SAFETY: guaranteed by the caller.
        unsafe { _mm_setzero_si128() }
    }
}

/// Adds the products of sixteen columns to `parts`; inputs outside the mask count as zero.
///
/// # Safety
/// Requires AVX2; sixteen elements of each of the four rows, `cols` apart, and of each of the `C` inputs, `stride`
/// apart, must be readable.
#[inline(always)]
unsafe fn widened<const C: usize>(
    parts: &mut [[__m256i; ROWS]; C],
    w: *const i8,
    cols: usize,
    x: *const i8,
    stride: usize,
    mask: __m256i,
) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut row = [_mm256_setzero_si256(); ROWS];
        for r in 0..ROWS {
            row[r] = _mm256_cvtepi8_epi16(_mm_loadu_si128(w.add(r * cols).cast()));
        }
        for c in 0..C {
            let x = _mm_loadu_si128(x.add(c * stride).cast());
            let x = _mm256_and_si256(_mm256_cvtepi8_epi16(x), mask);
            for r in 0..ROWS {
                parts[c][r] = _mm256_add_epi32(parts[c][r], _mm256_madd_epi16(row[r], x));
            }
        }
    }
}

/// The sixteen bytes from `n` on are a mask of the last `n` bytes.
const LAST: [i8; 2 * WIDENED] = {
    let mut mask = [0; 2 * WIDENED];
    let mut i = WIDENED;
    while i < 2 * WIDENED {
        mask[i] = -1;
        i += 1;
    }
    mask
};

/// The 32 bytes from `32 - n` on are a mask of the first `n` bytes.
const FIRST: [i8; 2 * GROUP] = {
    let mut mask = [0; 2 * GROUP];
    let mut i = 0;
    while i < GROUP {
        mask[i] = -1;
        i += 1;
    }
    mask
};

/// Rows of groups of 4-bit integers.
///
/// An input `x` becomes `x + 128`, from 0 to 255, for the multiplication of unsigned by signed bytes; the products
/// with 128 are the excess. Sums of pairs are below `2·255·8 < 2^12`, so that two of them times a factor fit in 32
/// bits.
pub struct Int4 {
    pub quants: *const u8,
    pub factors: *const u8,
    pub groups: usize,
    pub cols: usize,
}

impl Int4 {
    /// Returns the sums, or with `EXCESS` the excess, for which no input is read.
    ///
    /// # Safety
    /// The same as for [`Tile::sums`]; inputs must have complete groups.
    #[inline(always)]
    unsafe fn shifted<const C: usize, const EXCESS: bool>(
        &self,
        o: usize,
        x: *const i8,
        stride: usize,
    ) -> [__m128i; C] {
        let Self { groups, cols, .. } = *self;
        // SAFETY: guaranteed by the caller; inputs past the last column are masked to zero.
        unsafe {
            let (eight, low) = (_mm256_set1_epi8(8), _mm256_set1_epi8(15));
            let sign = _mm256_set1_epi8(i8::MIN);
            let mut parts = [[_mm256_setzero_si256(); ROWS]; C];
            for g in 0..groups {
                let there = (cols - g * GROUP).min(GROUP);
                let mask = _mm256_loadu_si256(FIRST.as_ptr().add(GROUP - there).cast());
                let mut row = [_mm256_setzero_si256(); ROWS];
                let mut factor = [_mm256_setzero_si256(); ROWS];
                for r in 0..ROWS {
                    let group = (o + r) * groups + g;
                    let bytes = _mm_loadu_si128(self.quants.add(group * GROUP_BYTES).cast());
                    // Columns 0 to 15 are in the low halves, 16 to 31 in the high ones.
                    let halves = _mm256_set_m128i(_mm_srli_epi16::<4>(bytes), bytes);
                    let shifted = _mm256_xor_si256(_mm256_and_si256(halves, low), eight);
                    row[r] = _mm256_sub_epi8(shifted, eight);
                    factor[r] = _mm256_set1_epi16(i16::from(*self.factors.add(group)));
                }
                for c in 0..C {
                    let x = if EXCESS {
                        sign
                    } else {
                        let x = _mm256_loadu_si256(x.add(c * stride + g * GROUP).cast());
                        _mm256_xor_si256(_mm256_and_si256(x, mask), sign)
                    };
                    for r in 0..ROWS {
                        let pairs = _mm256_maddubs_epi16(x, row[r]);
                        let products = _mm256_madd_epi16(pairs, factor[r]);
                        parts[c][r] = _mm256_add_epi32(parts[c][r], products);
                    }
                }
            }
            let mut sums = [_mm_setzero_si128(); C];
            for c in 0..C {
                sums[c] = totals(parts[c]);
            }
            sums
        }
    }
}

impl Tile for Int4 {
    #[inline(always)]
    unsafe fn sums<const C: usize>(&self, o: usize, x: *const i8, stride: usize) -> [__m128i; C] {
        // SAFETY: guaranteed by the caller.
        unsafe { self.shifted::<C, false>(o, x, stride) }
    }

    #[inline(always)]
    unsafe fn excess(&self, o: usize) -> __m128i {
        // SAFETY: guaranteed by the caller; no input is read.
        let [excess] = unsafe { self.shifted::<1, true>(o, [].as_ptr(), 0) };
        excess
    }
}

/// Returns the sum of each of four registers.
///
/// # Safety
/// Requires AVX2.
#[inline(always)]
unsafe fn totals([a, b, c, d]: [__m256i; ROWS]) -> __m128i {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let four = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        _mm_add_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256::<1>(four))
    }
}
