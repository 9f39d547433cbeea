//! Integer tiles in AVX-512 with VNNI.

#![allow(clippy::incompatible_msrv, reason = "the feature needs a newer compiler")]

use std::arch::x86_64::{
    __m128i, __m512i, __mmask64, _mm_add_epi32, _mm_loadu_si128, _mm_setzero_si128,
    _mm256_add_epi32, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_loadu_si256,
    _mm256_zextsi128_si256, _mm512_add_epi32, _mm512_and_si512, _mm512_castsi256_si512,
    _mm512_castsi512_si256, _mm512_dpbusd_epi32, _mm512_dpwssd_epi32, _mm512_extracti64x4_epi64,
    _mm512_loadu_si512, _mm512_maddubs_epi16, _mm512_mask_srli_epi16, _mm512_maskz_loadu_epi8,
    _mm512_permutexvar_epi64, _mm512_set1_epi8, _mm512_set1_epi16, _mm512_setr_epi64,
    _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_sub_epi8, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use super::tile::{ROWS, Tile};
use crate::kernels::dot_quants::{GROUP, GROUP_BYTES};

/// Number of 8-bit elements in a register.
const LANES: usize = 64;

/// Rows of 8-bit integers.
///
/// An input `x` becomes the unsigned byte `x + 128`; 128 times the sum of the weights is the excess.
pub struct Int8 {
    pub weights: *const i8,
    pub cols: usize,
}

impl Int8 {
    /// Returns the sums, or with `EXCESS` the excess, for which no input is read.
    ///
    /// # Safety
    /// The same as for [`Tile::sums`].
    #[inline(always)]
    unsafe fn shifted<const C: usize, const EXCESS: bool>(
        &self,
        o: usize,
        x: *const i8,
        stride: usize,
    ) -> [__m128i; C] {
        let cols = self.cols;
        // SAFETY: guaranteed by the caller; only columns below `cols` are read.
        unsafe {
            let w = self.weights.add(o * cols);
            let sign = _mm512_set1_epi8(i8::MIN);
            let mut parts = [[_mm512_setzero_si512(); ROWS]; C];
            let mut i = 0;
            while i < cols {
                let mut row = [_mm512_setzero_si512(); ROWS];
                for r in 0..ROWS {
                    row[r] = load(w.add(r * cols + i), cols - i);
                }
                for c in 0..C {
                    let x = if EXCESS {
                        sign
                    } else {
                        _mm512_xor_si512(load(x.add(c * stride + i), cols - i), sign)
                    };
                    for r in 0..ROWS {
                        parts[c][r] = _mm512_dpbusd_epi32(parts[c][r], x, row[r]);
                    }
                }
                i += LANES;
            }
            each_total(&parts)
        }
    }
}

impl Tile for Int8 {
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

/// Rows of groups of 4-bit integers, two groups per register.
///
/// Inputs are shifted as in [`Int8`]. Sums of pairs are below `2·255·8 < 2^12`, so that two of them times a factor
/// fit in 32 bits.
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
    /// The same as for [`Tile::sums`].
    #[inline(always)]
    unsafe fn shifted<const C: usize, const EXCESS: bool>(
        &self,
        o: usize,
        x: *const i8,
        stride: usize,
    ) -> [__m128i; C] {
        let Self { groups, cols, .. } = *self;
        // SAFETY: guaranteed by the caller; `g < groups`, and the next group is read only if it exists.
        unsafe {
            let sign = _mm512_set1_epi8(i8::MIN);
            let mut parts = [[_mm512_setzero_si512(); ROWS]; C];
            let mut g = 0;
            while g < groups {
                let mut row = [_mm512_setzero_si512(); ROWS];
                let mut factor = [_mm512_setzero_si512(); ROWS];
                for r in 0..ROWS {
                    let group = (o + r) * groups + g;
                    let (quants, factors) =
                        (self.quants.add(group * GROUP_BYTES), self.factors.add(group));
                    (row[r], factor[r]) = two_groups(quants, factors, g + 1 < groups);
                }
                let i = g * GROUP;
                for c in 0..C {
                    let x = if EXCESS {
                        sign
                    } else {
                        _mm512_xor_si512(load(x.add(c * stride + i), cols - i), sign)
                    };
                    for r in 0..ROWS {
                        let pairs = _mm512_maddubs_epi16(x, row[r]);
                        parts[c][r] = _mm512_dpwssd_epi32(parts[c][r], pairs, factor[r]);
                    }
                }
                g += 2;
            }
            each_total(&parts)
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

/// Loads the integers of one group, or of two if `more`, and their factors, widened to 16 bits.
///
/// The integers and factor of a missing second group are zero.
///
/// # Safety
/// Requires AVX-512 with BW; the groups and factors must be readable.
#[inline(always)]
unsafe fn two_groups(quants: *const u8, factors: *const u8, more: bool) -> (__m512i, __m512i) {
    /// The second and the fourth quarter.
    const ODD_QUARTERS: u32 = 0xff00_ff00;
    // SAFETY: guaranteed by the caller.
    unsafe {
        let (bytes, pair) = if more {
            (_mm256_loadu_si256(quants.cast()), factors.cast::<[u8; 2]>().read())
        } else {
            (_mm256_zextsi128_si256(_mm_loadu_si128(quants.cast())), [factors.read(), 0])
        };
        // A group's columns 0 to 15 are in the low halves of its bytes, 16 to 31 in the high ones.
        let twice = _mm512_setr_epi64(0, 1, 0, 1, 2, 3, 2, 3);
        let bytes = _mm512_permutexvar_epi64(twice, _mm512_castsi256_si512(bytes));
        let halves = _mm512_mask_srli_epi16::<4>(bytes, ODD_QUARTERS, bytes);
        let (eight, low) = (_mm512_set1_epi8(8), _mm512_set1_epi8(15));
        let shifted = _mm512_xor_si512(_mm512_and_si512(halves, low), eight);
        // Every 16 bits receive byte 0 or 1 in the lower half and zero in the upper half.
        let (first, second) = (0x8000_8000_8000_8000_u64 as i64, 0x8001_8001_8001_8001_u64 as i64);
        let places = _mm512_setr_epi64(first, first, first, first, second, second, second, second);
        let factors = _mm512_shuffle_epi8(_mm512_set1_epi16(i16::from_le_bytes(pair)), places);
        (_mm512_sub_epi8(shifted, eight), factors)
    }
}

/// Loads the first `count` elements, at most 64, and sets the others to zero.
///
/// # Safety
/// Requires AVX-512 with BW; `count` elements must be readable, and `count` must not be 0.
#[inline(always)]
unsafe fn load(from: *const i8, count: usize) -> __m512i {
    // SAFETY: guaranteed by the caller.
    unsafe {
        if count >= LANES {
            return _mm512_loadu_si512(from.cast());
        }
        let mask: __mmask64 = (1 << count) - 1;
        _mm512_maskz_loadu_epi8(mask, from)
    }
}

/// Returns the sums of the registers of every input.
///
/// # Safety
/// Requires AVX-512.
#[inline(always)]
unsafe fn each_total<const C: usize>(parts: &[[__m512i; ROWS]; C]) -> [__m128i; C] {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut sums = [_mm_setzero_si128(); C];
        for c in 0..C {
            sums[c] = totals(parts[c]);
        }
        sums
    }
}

/// Returns the sum of each of four registers.
///
/// # Safety
/// Requires AVX-512.
#[inline(always)]
unsafe fn totals([a, b, c, d]: [__m512i; ROWS]) -> __m128i {
    // SAFETY: guaranteed by the caller.
    unsafe {
        // Adds pairs of a and b, and of c and d, within every quarter; then the sums of all four.
        let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        let all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        let half =
            _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64::<1>(all));
        _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half))
    }
}
