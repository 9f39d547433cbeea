//! Detection of the processor's instructions at run time.

use std::is_x86_feature_detected;

use crate::kernels::kernel::Kernel;

/// The instructions that a kernel may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Eight numbers in a register, sixteen registers; halves widened.
    Avx2,
    /// Twice as many registers, and products of 8-bit integers (VNNI).
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
            // SAFETY: a level exists only where its instructions were found.
            Self::Avx2 => unsafe { avx2(kernel) },
            #[cfg(feature = "avx512")]
            // SAFETY: as above.
            Self::Avx512 => unsafe { avx512(kernel) },
        }
    }
}

/// # Safety
/// AVX2 and F16C.
#[target_feature(enable = "avx2,f16c")]
unsafe fn avx2(kernel: impl Kernel) {
    kernel.run();
}

/// # Safety
/// AVX-512 with BW, VL and VNNI, AVX2 and F16C.
#[cfg(feature = "avx512")]
#[target_feature(enable = "avx2,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
pub unsafe fn avx512(kernel: impl Kernel) {
    kernel.run();
}

/// Runs a portable kernel in the widest vectors of this processor.
pub fn vectorized(kernel: impl Kernel) {
    match Level::found() {
        Some(level) => level.run(kernel),
        None => kernel.run(),
    }
}
