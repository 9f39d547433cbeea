use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Cpu, CpuError, PutTape, SplitTape, Tape};
use expe_core::Norm;

use super::storage::{put, record, scratch, take, tensor, values};
use super::vector::{sum, sum2, vectorised};
use crate::ops::profile::Operation;
use crate::ops::{Matrix, Vector};

/// The mean that is subtracted from a row, and the inverse root that it is multiplied by.
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

/// [`rms_norm`](crate::ops::rms_norm) or [`layer_norm`](crate::ops::layer_norm). The derivative
/// computes means and roots again.
///
/// # Errors
/// The device's.
pub fn norm<T: Tape<f32, Cpu>>(
    x: Matrix<f32, Cpu, T>,
    weight: &Vector<f32, Cpu>,
    epsilon: f64,
    norm: Norm,
) -> Result<Matrix<f32, Cpu, T>, CpuError> {
    let (x, mut tape) = x.split_tape();
    let (weight, epsilon) = (weight.clone(), epsilon as f32);
    let mut y = scratch(x.shape().num_elements());
    forward(values(&x), values(&weight), norm, epsilon, &mut y);
    let y = tensor(x.device(), *x.shape(), y)?;
    let ghost = y.ghost();
    record(&mut tape, Operation::Norm, move |slopes| {
        let dy = std::mem::take(&mut **slopes.get_or_alloc_mut(&ghost)?);
        let mut dx = take(slopes, &x)?;
        let mut dg = take(slopes, &weight)?;
        backward(values(&x), values(&weight), norm, epsilon, &dy, &mut dx, &mut dg);
        put(slopes, &x, dx)?;
        put(slopes, &weight, dg)
    });
    Ok(y.put_tape(tape))
}

fn forward(x: &[f32], gain: &[f32], norm: Norm, epsilon: f32, y: &mut [f32]) {
    vectorised(
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

/// With `z = (x − mean)·inverse` and `s = g ⊙ dy`: `dg += dy ⊙ z` and
/// `dx += inverse·(s − z·mean(s ⊙ z) − mean(s))`, the last term with a mean only.
fn backward(
    x: &[f32],
    gain: &[f32],
    norm: Norm,
    epsilon: f32,
    dy: &[f32],
    dx: &mut [f32],
    dg: &mut [f32],
) {
    let width = gain.len();
    let share = 1.0 / width as f32;
    vectorised(
        #[inline(always)]
        || {
            let mut z = vec![0.0; width];
            let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
            for ((x, dy), dx) in rows.zip(dx.chunks_exact_mut(width)) {
                let (mean, inverse) = statistics(x, norm, epsilon);
                for ((((z, x), dg), dy), _) in z.iter_mut().zip(x).zip(&mut *dg).zip(dy).zip(gain) {
                    *z = (x - mean) * inverse;
                    *dg += dy * *z;
                }
                let mut products = 0.0;
                let mut sums = 0.0;
                // s ⊙ z needs three factors: z is scaled by the gain on the fly.
                products += gained(gain, dy, &z);
                if norm == Norm::LayerNorm {
                    sums += sum2(gain, dy, |g, dy| g * dy);
                }
                let (products, sums) = (products * share, sums * share);
                for (((dx, z), dy), g) in dx.iter_mut().zip(&z).zip(dy).zip(gain) {
                    *dx += inverse * (g * dy - z * products - sums);
                }
            }
        },
    );
}

/// `Σ g·dy·z`.
#[inline(always)]
fn gained(gain: &[f32], dy: &[f32], z: &[f32]) -> f32 {
    const LANES: usize = 32;
    let mut sums = [0.0; LANES];
    let (a, b, c) = (gain.chunks_exact(LANES), dy.chunks_exact(LANES), z.chunks_exact(LANES));
    let rest = a.remainder().iter().zip(b.remainder()).zip(c.remainder());
    let rest: f32 = rest.map(|((a, b), c)| a * b * c).sum();
    for ((a, b), c) in a.zip(b).zip(c) {
        for (((sum, a), b), c) in sums.iter_mut().zip(a).zip(b).zip(c) {
            *sum += a * b * c;
        }
    }
    sum(&sums, |x| x) + rest
}
