use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_loadu_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_storeu_ps,
};

use super::load::{LANES, Load};
use crate::kernels::kernel::Kernel;
use crate::num::invariant::quotient;

/// Computes `y += Σ_m factors[m]·matrix[m]` in the order of `m`; `y` must not be empty.
pub struct AddRows<'a, L: Load> {
    pub factors: &'a [f32],
    pub matrix: &'a [L::Bits],
    pub y: &'a mut [f32],
}

impl<L: Load> Kernel for AddRows<'_, L> {
    #[inline(always)]
    fn run(self) {
        let Self { factors, matrix, y } = self;
        let width = y.len();
        let count = quotient(matrix.len(), width);
        let factors = factors.get(..count).unwrap_or(factors);
        let mut done = 0;
        while width - done >= LANES {
            // SAFETY: kernels run at a level, which has AVX2 and F16C; there are `factors.len()` complete rows
            // of `width` elements, and `done + 8·n ≤ width` for the strip's `n`.
            let n = unsafe {
                let (matrix, y) = (matrix.as_ptr().add(done), y.as_mut_ptr().add(done));
                match (width - done) / LANES {
                    1 => strip::<L, 1>(factors, matrix, width, y),
                    2 => strip::<L, 2>(factors, matrix, width, y),
                    3 => strip::<L, 3>(factors, matrix, width, y),
                    4 | 5 => strip::<L, 4>(factors, matrix, width, y),
                    6 | 7 => strip::<L, 6>(factors, matrix, width, y),
                    _ => strip::<L, 8>(factors, matrix, width, y),
                }
            };
            done += n * LANES;
        }
        for (i, y) in y.iter_mut().enumerate().skip(done) {
            let column = matrix.iter().skip(i).step_by(width);
            for (factor, x) in factors.iter().zip(column) {
                *y += factor * L::widen(*x);
            }
        }
    }
}

/// Computes `8·N` elements of `y`, which stay in `N` registers while all rows are added; returns `N`.
///
/// # Safety
/// Requires AVX2 and F16C; `8·N` elements must be writable from `y` on and readable from `matrix + m·width` on for
/// every factor `m`.
#[inline(always)]
unsafe fn strip<L: Load, const N: usize>(
    factors: &[f32],
    mut matrix: *const L::Bits,
    width: usize,
    y: *mut f32,
) -> usize {
    // SAFETY: guaranteed by the caller; `matrix` may end up past the last row but is not read there.
    unsafe {
        let mut sums: [__m256; N] = [_mm256_setzero_ps(); N];
        for n in 0..N {
            sums[n] = _mm256_loadu_ps(y.add(n * LANES));
        }
        for factor in factors {
            let factor = _mm256_set1_ps(*factor);
            for n in 0..N {
                let x = L::load(matrix.add(n * LANES));
                sums[n] = _mm256_add_ps(sums[n], _mm256_mul_ps(factor, x));
            }
            matrix = matrix.wrapping_add(width);
        }
        for n in 0..N {
            _mm256_storeu_ps(y.add(n * LANES), sums[n]);
        }
    }
    N
}
