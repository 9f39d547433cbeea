//! Integer dot products with one input, in AVX-512 with VNNI.

#![allow(clippy::incompatible_msrv, reason = "the feature needs a newer compiler")]

use std::arch::x86_64::{
    __m512i, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_maskz_loadu_epi8,
    _mm512_reduce_add_epi32, _mm512_set1_epi8, _mm512_setzero_si512, _mm512_xor_si512,
};

use super::load::prefetch;

/// Number of rows of weights computed together.
const ROWS: usize = 4;
/// Number of 8-bit elements in a register.
const LANES: usize = 64;

/// Computes a sum for every row of weights.
///
/// # Safety
/// Requires AVX-512 with BW and VNNI; there must be `sums.len()` rows of weights of the length of `x`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub unsafe fn sums_int8(mut weights: *const i8, x: &[i8], sums: &mut [i32]) {
    for sums in sums.chunks_mut(ROWS) {
        // SAFETY: guaranteed by the caller; `wrapping_add` may go past the last row.
        unsafe {
            if let Ok(sums) = <&mut [i32; ROWS]>::try_from(&mut *sums) {
                *sums = products(weights, x);
            } else {
                for (r, sum) in sums.iter_mut().enumerate() {
                    [*sum] = products(weights.add(r * x.len()), x);
                }
            }
        }
        weights = weights.wrapping_add(ROWS * x.len());
    }
}

/// Returns the sums of `R` rows.
///
/// A weight `w` becomes the unsigned byte `w + 128`, and 128 times the sum of `x` is subtracted at the end.
/// Intermediate overflow is harmless because sums are modulo `2^32`.
///
/// # Safety
/// Requires AVX-512 with BW and VNNI; `R` rows of the length of `x` must be readable from `weights` on.
#[inline(always)]
unsafe fn products<const R: usize>(weights: *const i8, x: &[i8]) -> [i32; R] {
    let cols = x.len();
    let whole = cols - cols % LANES;
    // SAFETY: guaranteed by the caller; `i + 64 ≤ cols` in the loop, and the mask selects the remaining columns.
    unsafe {
        let sign = _mm512_set1_epi8(i8::MIN);
        let mut parts = [_mm512_setzero_si512(); R];
        let mut excess = _mm512_setzero_si512();
        let mut i = 0;
        while i < whole {
            let x = _mm512_loadu_si512(x.as_ptr().add(i).cast());
            excess = _mm512_dpbusd_epi32(excess, sign, x);
            for r in 0..R {
                let w = _mm512_loadu_si512(weights.add(r * cols + i).cast());
                parts[r] = _mm512_dpbusd_epi32(parts[r], _mm512_xor_si512(w, sign), x);
            }
            prefetch(weights.wrapping_add(R * i), R * LANES);
            i += LANES;
        }
        if whole < cols {
            let mask = (1 << (cols - whole)) - 1;
            let x = _mm512_maskz_loadu_epi8(mask, x.as_ptr().add(whole));
            excess = _mm512_dpbusd_epi32(excess, sign, x);
            for r in 0..R {
                let w = _mm512_maskz_loadu_epi8(mask, weights.add(r * cols + whole));
                parts[r] = _mm512_dpbusd_epi32(parts[r], _mm512_xor_si512(w, sign), x);
            }
        }
        let excess = total(excess);
        let mut sums = [0; R];
        for r in 0..R {
            sums[r] = total(parts[r]).wrapping_sub(excess);
        }
        sums
    }
}

/// Returns the sum of sixteen integers.
///
/// # Safety
/// Requires AVX-512.
#[inline(always)]
unsafe fn total(parts: __m512i) -> i32 {
    // SAFETY: guaranteed by the caller.
    unsafe { _mm512_reduce_add_epi32(parts) }
}
