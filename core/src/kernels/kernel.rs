//! The interface between the portable kernels and those in `arch`.

/// A portable kernel that the compiler turns into vector instructions, where it may use them.
pub(super) trait Kernel {
    /// Compute; implementations are `#[inline(always)]`, to be compiled anew for every processor.
    fn run(self);
}

/// Outputs of a matrix of integers that are computed together.
pub(super) const TILE_OUTPUTS: usize = 64;

/// Inputs of a matrix of integers that are computed together, at most: one where a row of weights is not
/// read for several.
pub(super) const MAX_TILE_INPUTS: usize =
    if cfg!(all(feature = "std", target_arch = "x86_64")) { 16 } else { 1 };
