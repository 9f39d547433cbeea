use expe_core::Norm;

use super::vector::{sum, sum2, vectorized};
use crate::ops::NormKind;

/// Computes the mean that is subtracted from a row, and the inverse root that it is multiplied by.
#[inline(always)]
fn statistics(row: &[f32], norm: Norm, epsilon: f32) -> (f32, f32) {
    let share = 1.0 / row.len() as f32;
    let mean = match norm {
        Norm::RmsNorm => 0.0,
        Norm::LayerNorm => sum(row, |x| x) * share,
    };
    let square = sum(row, |x| (x - mean) * (x - mean)) * share;
    (mean, 1.0 / (square + epsilon).sqrt())
}

/// See [`Kernels::norm_forward`](crate::ops::Kernels::norm_forward).
pub fn forward(kind: NormKind, x: &[f32], gain: &[f32], y: &mut [f32]) {
    let NormKind { norm, epsilon, .. } = kind;
    vectorized(
        #[inline(always)]
        || {
            for (x, y) in x.chunks_exact(gain.len()).zip(y.chunks_exact_mut(gain.len())) {
                let (mean, inverse) = statistics(x, norm, epsilon);
                for ((x, y), g) in x.iter().zip(y).zip(gain) {
                    *y = g * ((x - mean) * inverse);
                }
            }
        },
    );
}

/// See [`Kernels::norm_backward`](crate::ops::Kernels::norm_backward).
pub fn backward(
    kind: NormKind,
    x: &[f32],
    gain: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    dg: &mut [f32],
) {
    let NormKind { norm, epsilon, .. } = kind;
    let width = gain.len();
    let share = 1.0 / width as f32;
    vectorized(
        #[inline(always)]
        || {
            let mut z = vec![0.0; width];
            let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
            for ((x, dy), dx) in rows.zip(dx.chunks_exact_mut(width)) {
                let (mean, inverse) = statistics(x, norm, epsilon);
                for (((z, x), dg), dy) in z.iter_mut().zip(x).zip(&mut *dg).zip(dy) {
                    *z = (x - mean) * inverse;
                    *dg += dy * *z;
                }
                let products = sum3(gain, dy, &z) * share;
                let sums = match norm {
                    Norm::RmsNorm => 0.0,
                    Norm::LayerNorm => sum2(gain, dy, |g, dy| g * dy) * share,
                };
                for (((dx, z), dy), g) in dx.iter_mut().zip(&z).zip(dy).zip(gain) {
                    *dx += inverse * (g * dy - z * products - sums);
                }
            }
        },
    );
}

/// Computes `Σ a_i·b_i·c_i`.
#[inline(always)]
fn sum3(a: &[f32], b: &[f32], c: &[f32]) -> f32 {
    const LANES: usize = 32;
    let mut sums = [0.0; LANES];
    let (a, b, c) = (a.chunks_exact(LANES), b.chunks_exact(LANES), c.chunks_exact(LANES));
    let rest = a.remainder().iter().zip(b.remainder()).zip(c.remainder());
    let rest: f32 = rest.map(|((a, b), c)| a * b * c).sum();
    for ((a, b), c) in a.zip(b).zip(c) {
        for (((sum, a), b), c) in sums.iter_mut().zip(a).zip(b).zip(c) {
            *sum += a * b * c;
        }
    }
    sum(&sums, |x| x) + rest
}
