//! The interface between the portable kernels and those in `arch`.

/// A portable kernel that the compiler vectorizes for the available instructions.
pub(super) trait Kernel {
    /// Runs the kernel. Implementations are `#[inline(always)]`, so that they are compiled for each instruction set.
    fn run(self);
}

/// Number of outputs of an integer matrix that are computed together.
pub(super) const TILE_OUTPUTS: usize = 64;

/// Largest number of inputs of an integer matrix that are computed together; 1 where each row of weights is read
/// once per input.
pub(super) const MAX_TILE_INPUTS: usize =
    if cfg!(all(feature = "std", target_arch = "x86_64")) { 16 } else { 1 };
