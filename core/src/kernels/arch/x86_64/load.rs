use std::arch::x86_64::{
    __m256, _MM_HINT_T1, _mm_loadl_epi64, _mm_loadu_si128, _mm_prefetch, _mm256_castsi256_ps,
    _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_cvtepu16_epi32, _mm256_cvtph_ps,
    _mm256_loadu_ps, _mm256_slli_epi32,
};

use crate::kernels::stored::{Bf16, F16, F32, I8, Stored};

/// Number of floats in a register.
pub const LANES: usize = 8;

/// A storage format from which eight numbers are loaded at once.
pub trait Load: Stored {
    /// Loads eight numbers and widens them as [`Stored::widen`] does.
    ///
    /// # Safety
    /// Requires AVX2 and F16C; eight elements from `from` on must be readable.
    unsafe fn load(from: *const Self::Bits) -> __m256;
}

impl Load for F32 {
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        // SAFETY: guaranteed by the caller.
        unsafe { _mm256_loadu_ps(from) }
    }
}

impl Load for F16 {
    #[inline(always)]
    unsafe fn load(from: *const u16) -> __m256 {
        // SAFETY: guaranteed by the caller; the load takes any alignment.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
}

impl Load for Bf16 {
    #[inline(always)]
    unsafe fn load(from: *const u16) -> __m256 {
        // SAFETY: guaranteed by the caller; the load takes any alignment.
        unsafe {
            let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
        }
    }
}

impl Load for I8 {
    #[inline(always)]
    unsafe fn load(from: *const i8) -> __m256 {
        // SAFETY: guaranteed by the caller; the load takes any alignment and reads eight bytes.
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast()))) }
    }
}

/// Prefetches `count` weights [`AHEAD`] of `from`.
///
/// With one input, memory bandwidth is the limit if weights are requested early and in memory order. A tile reads
/// several rows side by side, which the processor does not prefetch by itself.
#[inline(always)]
pub fn prefetch<T>(from: *const T, count: usize) {
    const LINE: usize = 64;
    let mut line = 0;
    while line < count * size_of::<T>() {
        // SAFETY: a prefetch may have any address; nothing is read.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast::<i8>().wrapping_add(AHEAD + line)) };
        line += LINE;
    }
}

/// Prefetch distance in bytes, about a microsecond of memory bandwidth.
const AHEAD: usize = 16 << 10;
