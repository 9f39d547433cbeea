use super::lanes::{LANES, each_lane};
use super::stored::Stored;
use crate::num::invariant::split;

/// Returns the dot product `Σ w_i·x_i` over the length of the shorter slice.
///
/// The products are added to eight partial sums: first the leading `n mod 8` products, one per sum, then eight
/// products at a time. The partial sums are added in order at the end. With `n` products and unit roundoff
/// `u = 2^-24` the error is at most `(n/8 + 16)·u·Σ|w_i·x_i|` to first order.
///
/// ```
/// use expe_core::internals::dot;
/// use expe_core::F32;
/// assert_eq!(dot::<F32>(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]), 32.0);
/// ```
#[inline]
pub fn dot<S: Stored>(weights: &[S::Bits], x: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (mut weights, mut x) = (weights, x);
    let first = weights.len().min(x.len()) % LANES;
    if first > 0 {
        let (w, later_weights) = split(weights, first);
        let (y, later_x) = split(x, first);
        (weights, x) = (later_weights, later_x);
        for ((sum, w), y) in sums.iter_mut().zip(w).zip(y) {
            *sum += S::widen(*w) * y;
        }
    }
    let blocks = weights.len().min(x.len()) / LANES;
    // One index for both slices: zipping two iterators makes the loop a third slower.
    for start in (0..blocks).map(|block| block * LANES) {
        let (Some(w), Some(x)) = (
            weights.get(start..start + LANES).and_then(<[_]>::first_chunk),
            x.get(start..start + LANES).and_then(<[_]>::first_chunk),
        ) else {
            break;
        };
        each_lane(&mut sums, w, x, |sum, w, x| sum + S::widen(w) * x);
    }
    // In order, because adding them as a tree makes LLVM use narrower vectors in the loop above.
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::kernels::{F16, F32};
    use crate::num::Random;

    #[test]
    fn error_is_within_its_bound_at_every_length() {
        let mut random = Random::new(1);
        for n in 0..300usize {
            let w: Vec<f32> = (0..n).map(|_| random.normal()).collect();
            let x: Vec<f32> = (0..n).map(|_| random.normal()).collect();
            let halves: Vec<u16> = w.iter().map(|w| F16::narrow(*w).unwrap()).collect();
            let widened: Vec<f32> = halves.iter().map(|h| F16::widen(*h)).collect();
            for (found, w) in [(dot::<F32>(&w, &x), &w), (dot::<F16>(&halves, &x), &widened)] {
                let products = || w.iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x));
                let size: f64 = products().map(f64::abs).sum();
                let bound = (n as f64 / 8.0 + 16.0) * f64::from(f32::EPSILON) / 2.0 * size;
                let error = (f64::from(found) - products().sum::<f64>()).abs();
                assert!(error <= bound, "n {n}: {error} > {bound}");
            }
        }
    }
}
