use core::marker::PhantomData;

use super::arch;
use super::kernel::Kernel;
use super::lanes::{LANES, each_lane};
use crate::num::Math;

/// Computes the softmax in place: `x_i ← exp(x_i − max x) / Σ_j exp(x_j − max x)`.
///
/// The maximum is subtracted first, so no exponential overflows and the sum is at least 1. The sum is made of
/// eight partial sums over equal `i mod 8`, which are added in order.
///
/// ```
/// use expe_core::internals::softmax;
/// use expe_core::num::Exact;
/// let mut x = [1000.0, 1000.0];
/// softmax::<Exact>(&mut x);
/// assert_eq!(x, [0.5, 0.5]);
/// ```
pub fn softmax<M: Math>(x: &mut [f32]) {
    arch::vectorized(Softmax::<M>(x, PhantomData));
}

struct Softmax<'a, M>(&'a mut [f32], PhantomData<M>);

impl<M: Math> Kernel for Softmax<'_, M> {
    #[inline(always)]
    fn run(self) {
        let x = self.0;
        let maxima = lanes(x, f32::NEG_INFINITY, |max, x| if x > max { x } else { max });
        let max = maxima.into_iter().fold(f32::NEG_INFINITY, f32::max);
        for x in x.iter_mut() {
            *x = M::exp(*x - max);
        }
        let sum: f32 = lanes(x, 0.0, |sum, x| sum + x).iter().sum();
        let scale = 1.0 / sum;
        for x in x {
            *x *= scale;
        }
    }
}

/// Folds the elements with equal `i mod 8`.
#[inline(always)]
fn lanes(x: &[f32], start: f32, fold: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    let mut lanes = [start; LANES];
    let eights = x.chunks_exact(LANES);
    let mut last = [start; LANES];
    let rest = eights.remainder();
    for (last, x) in last.iter_mut().zip(rest) {
        *last = *x;
    }
    for eight in eights {
        if let Some(eight) = eight.first_chunk() {
            each_lane(&mut lanes, eight, eight, |lane, x, _| fold(lane, x));
        }
    }
    each_lane(&mut lanes, &last, &last, |lane, x, _| fold(lane, x));
    lanes
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::num::{Exact, Random};

    #[test]
    fn error_is_within_its_bound() {
        let mut random = Random::new(5);
        let roundoff = f64::from(f32::EPSILON) / 2.0;
        for (n, scale) in [(1usize, 1.0), (3, 10.0), (64, 1.0), (1000, 30.0), (1000, 3000.0)] {
            let x: Vec<f32> = (0..n).map(|_| scale * random.normal()).collect();
            let mut found = x.clone();
            softmax::<Exact>(&mut found);
            let max = x.iter().copied().fold(f32::MIN, f32::max);
            let wide: Vec<f64> = x.iter().map(|x| (f64::from(*x) - f64::from(max)).exp()).collect();
            let sum: f64 = wide.iter().sum();
            for ((found, wide), x) in found.iter().zip(&wide).zip(&x) {
                // The difference t = max − x is rounded once, which changes e^-t by t·u, relatively, and
                // every term of the sum by t·e^-t·u < u; exp is within 1 ulp = 2u, the sum within
                // (n/8 + 8)·u, and three roundings follow.
                let distance = f64::from(max - x);
                let relative = (distance + n as f64 / 8.0 + 8.0 + 2.0 + 2.0 + 4.0) * roundoff;
                let expected = wide / sum;
                // Subnormal results have an additional absolute error.
                let bound = relative * expected + f64::from(f32::MIN_POSITIVE);
                assert!((f64::from(*found) - expected).abs() <= bound, "{found} {expected}");
            }
        }
    }

    #[test]
    fn vectorized_softmax_is_bit_identical_to_the_portable_one() {
        let mut random = Random::new(6);
        for n in 0..100 {
            let mut found: Vec<f32> = (0..n).map(|_| 10.0 * random.normal()).collect();
            let mut portable = found.clone();
            softmax::<Exact>(&mut found);
            Softmax::<Exact>(&mut portable, PhantomData).run();
            assert_eq!(found, portable);
        }
    }

    #[test]
    fn an_empty_row_stays_empty() {
        softmax::<Exact>(&mut []);
    }

    #[cfg(feature = "micromath")]
    #[test]
    fn approximate_softmax_is_within_its_error_bound() {
        let x: Vec<f32> = (0..40).map(|i| i as f32 * 0.37 - 5.0).collect();
        let (mut exact, mut found) = (x.clone(), x);
        softmax::<Exact>(&mut exact);
        softmax::<crate::num::Approximate>(&mut found);
        for (found, exact) in found.iter().zip(exact) {
            // Each term and the sum are within 1 %.
            assert!((found / exact - 1.0).abs() < 1.01 / 0.99 - 1.0 + 1e-5);
        }
        assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
