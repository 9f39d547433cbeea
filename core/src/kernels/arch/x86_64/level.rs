//! What the processor has, found out at run time.

use std::is_x86_feature_detected;

use crate::kernels::kernel::Kernel;

/// What the processor can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Eight numbers in a register, sixteen registers; halves widened.
    Avx2,
    /// Twice as many registers, and products of 8-bit integers (VNNI).
    #[cfg(feature = "avx512")]
    Avx512,
}

impl Level {
    /// The best that this processor has; the standard library remembers what it found.
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

    /// Run `kernel`, compiled for this processor.
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

/// Run a portable kernel in the widest vectors there are.
pub fn vectorized(kernel: impl Kernel) {
    match Level::found() {
        Some(level) => level.run(kernel),
        None => kernel.run(),
    }
}
