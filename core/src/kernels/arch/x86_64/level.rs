//! Detection of instruction sets at run time.

use std::is_x86_feature_detected;

use crate::kernels::kernel::Kernel;

/// The instruction sets that a kernel may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// AVX2 and F16C: sixteen registers of eight floats, conversion of halves.
    Avx2,
    /// Also AVX-512 with BW, VL and VNNI: 32 registers, products of 8-bit integers.
    #[cfg(feature = "avx512")]
    Avx512,
}

impl Level {
    /// Returns the best level of this processor; the standard library caches the detection.
    #[inline]
    pub fn found() -> Option<Self> {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c");
        #[cfg(feature = "avx512")]
        if avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni")
        {
            return Some(Self::Avx512);
        }
        avx2.then_some(Self::Avx2)
    }

    /// Runs `kernel`, compiled for this level.
    #[inline(always)]
    pub fn run(self, kernel: impl Kernel) {
        match self {
            // SAFETY: a level exists only if its instruction sets were detected.
            Self::Avx2 => unsafe { avx2(kernel) },
            #[cfg(feature = "avx512")]
            // SAFETY: as above.
            Self::Avx512 => unsafe { avx512(kernel) },
        }
    }
}

/// # Safety
/// Requires AVX2 and F16C.
#[target_feature(enable = "avx2,f16c")]
unsafe fn avx2(kernel: impl Kernel) {
    kernel.run();
}

/// # Safety
/// Requires AVX-512 with BW, VL and VNNI, AVX2 and F16C.
#[cfg(feature = "avx512")]
#[target_feature(enable = "avx2,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
pub unsafe fn avx512(kernel: impl Kernel) {
    kernel.run();
}

/// Runs a portable kernel, compiled for the best level of this processor.
pub fn vectorized(kernel: impl Kernel) {
    match Level::found() {
        Some(level) => level.run(kernel),
        None => kernel.run(),
    }
}
