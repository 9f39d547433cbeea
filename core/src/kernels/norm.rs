use super::dot::dot;
use super::stored::F32;
use crate::num::Math;

/// Computes the root-mean-square norm `y_i = g_i·x_i / sqrt(mean(x²) + ε)`.
///
/// `x`, `gain` and `y` must have the same length.
///
/// ```
/// use expe_core::internals::rms_norm;
/// use expe_core::num::Exact;
/// let mut y = [0.0; 2];
/// rms_norm::<Exact>(&[3.0, 4.0], &[1.0, 2.0], 1e-6, &mut y);
/// assert!((y[0] - 3.0 / 12.5f32.sqrt()).abs() < 1e-6);
/// assert!((y[1] - 8.0 / 12.5f32.sqrt()).abs() < 1e-6);
/// ```
pub fn rms_norm<M: Math>(x: &[f32], gain: &[f32], epsilon: f32, y: &mut [f32]) {
    let mean_square = dot::<F32>(x, x) / x.len() as f32;
    let scale = 1.0 / M::sqrt(mean_square + epsilon);
    for ((y, x), gain) in y.iter_mut().zip(x).zip(gain) {
        *y = gain * (x * scale);
    }
}

/// Computes the layer norm without bias, `y_i = g_i·(x_i − mean(x)) / sqrt(var(x) + ε)`.
///
/// The variance is computed in two passes, without Bessel's correction. `x`, `gain` and `y` must have the same
/// length.
///
/// ```
/// use expe_core::internals::layer_norm;
/// use expe_core::num::Exact;
/// let mut y = [0.0; 2];
/// layer_norm::<Exact>(&[3.0, 5.0], &[1.0, 2.0], 1e-6, &mut y);
/// assert!((y[0] + 1.0).abs() < 1e-6 && (y[1] - 2.0).abs() < 1e-6);
/// ```
pub fn layer_norm<M: Math>(x: &[f32], gain: &[f32], epsilon: f32, y: &mut [f32]) {
    let count = x.len() as f32;
    let mean = x.iter().sum::<f32>() / count;
    for (y, x) in y.iter_mut().zip(x) {
        *y = x - mean;
    }
    let variance = dot::<F32>(y, y) / count;
    let scale = 1.0 / M::sqrt(variance + epsilon);
    for (y, gain) in y.iter_mut().zip(gain) {
        *y = gain * (*y * scale);
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::num::{Exact, Random};

    const ROUNDOFF: f64 = f32::EPSILON as f64 / 2.0;

    #[test]
    fn norms_are_within_their_error_bounds() {
        let mut random = Random::new(4);
        for n in [1usize, 2, 7, 16, 64, 129, 1000] {
            let x: Vec<f32> = (0..n).map(|_| 3.0 + 2.0 * random.normal()).collect();
            let gain: Vec<f32> = (0..n).map(|_| random.normal()).collect();
            let mut y = vec![0.0; n];
            let wide: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
            let count = n as f64;

            rms_norm::<Exact>(&x, &gain, 1e-5, &mut y);
            let square = wide.iter().map(|x| x * x).sum::<f64>() / count + f64::from(1e-5f32);
            // The sum of squares has a relative error of (n/8 + 16)u, halved by the root; 6 more roundings follow.
            let relative = (count / 16.0 + 8.0 + 6.0) * ROUNDOFF;
            for i in 0..n {
                let expected = f64::from(gain[i]) * wide[i] / square.sqrt();
                assert!((f64::from(y[i]) - expected).abs() <= relative * expected.abs());
            }

            layer_norm::<Exact>(&x, &gain, 1e-5, &mut y);
            let mean = wide.iter().sum::<f64>() / count;
            let spread = wide.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
            let deviation = (spread + f64::from(1e-5f32)).sqrt();
            let size = wide.iter().map(|x| x.abs()).sum::<f64>() / count;
            // The mean is off by at most (n + 1)u·mean|x|. Every x_i − mean is off by as much, and the
            // deviation by at most that, relative to itself.
            let mean_error = (count + 1.0) * ROUNDOFF * size;
            for i in 0..n {
                let gain = f64::from(gain[i]);
                let expected = gain * (wide[i] - mean) / deviation;
                let bound = (relative + 2.0 * mean_error / deviation) * expected.abs()
                    + gain.abs() * 2.0 * mean_error / deviation;
                assert!((f64::from(y[i]) - expected).abs() <= bound, "n {n} i {i}");
            }
        }
    }

    #[cfg(feature = "micromath")]
    #[test]
    fn approximate_norms_are_within_seven_percent() {
        let x = [0.5f32, -3.0, 2.0, 0.25];
        let gain = [1.0f32, 2.0, -1.0, 0.5];
        for scale in [1e-3f32, 1.0, 37.0, 1e4] {
            let x = x.map(|x| x * scale);
            let (mut exact, mut found) = ([0.0; 4], [0.0; 4]);
            rms_norm::<Exact>(&x, &gain, 1e-5, &mut exact);
            rms_norm::<crate::num::Approximate>(&x, &gain, 1e-5, &mut found);
            for (found, exact) in found.iter().zip(exact) {
                // The root is within 7 %, so the quotient is within 1/0.93.
                assert!((found / exact - 1.0).abs() < 1.0 / 0.93 - 1.0 + 1e-6);
            }
        }
    }
}
