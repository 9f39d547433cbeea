use core::iter::repeat;

use super::arch;
use super::kernel::Kernel;
use super::rows::rows;

/// Adds the position terms to the dot products of a query with the keys, and scales them, in place.
///
/// `s_m ← (s_m + Σ_j (then_mj − now_j)·products_j)·scale − slope·(n − m)`, where `n` is the last `m`. `then` has
/// one row of `now.len()` digits per score.
pub(crate) fn position_scores(
    scores: &mut [f32],
    then: &[f32],
    now: &[f32],
    products: &[f32],
    scale: f32,
    slope: f32,
) {
    arch::vectorized(PositionScores { scores, then, now, products, scale, slope });
}

struct PositionScores<'a> {
    scores: &'a mut [f32],
    then: &'a [f32],
    now: &'a [f32],
    products: &'a [f32],
    scale: f32,
    slope: f32,
}

impl Kernel for PositionScores<'_> {
    #[inline(always)]
    fn run(mut self) {
        // Up to two digits are added in one vectorized pass over scores and digits.
        match self.now {
            [] => self.each(repeat(()), |score, ()| score),
            [now] => self.digits([*now]),
            [low, high] => self.digits([*low, *high]),
            _ => {
                let Self { scores, then, now, products, .. } = &mut self;
                for (score, then) in scores.iter_mut().zip(rows(then, now.len())) {
                    *score = relative(*score, then, now, products);
                }
                self.each(repeat(()), |score, ()| score);
            }
        }
    }
}

impl PositionScores<'_> {
    /// Computes the scores for `D` digits.
    #[inline(always)]
    fn digits<const D: usize>(self, now: [f32; D]) {
        let Some(products) = self.products.first_chunk::<D>() else { return };
        // The chunks always have `D` elements.
        let array = |then: &[f32]| then.first_chunk().copied().unwrap_or(now);
        let then = self.then.chunks_exact(D).map(array);
        self.each(then, |score, then| relative(score, &then, &now, products));
    }

    /// Computes `s_m ← relative(s_m, then_m)·scale − slope·(n − m)` for every score.
    #[inline(always)]
    fn each<T>(self, then: impl Iterator<Item = T>, relative: impl Fn(f32, T) -> f32) {
        let Self { scores, scale, slope, .. } = self;
        let last = scores.len().saturating_sub(1) as u32;
        let scores = scores.iter_mut().zip(then);
        if slope == 0.0 {
            for (score, then) in scores {
                *score = relative(*score, then) * scale;
            }
        } else {
            for ((score, then), m) in scores.zip(0u32..) {
                *score = relative(*score, then) * scale - slope * last.wrapping_sub(m) as f32;
            }
        }
    }
}

/// Returns `score + Σ_j (then_j − now_j)·products_j`, added in the order of `j`.
#[inline(always)]
fn relative(mut score: f32, then: &[f32], now: &[f32], products: &[f32]) -> f32 {
    for ((then, now), product) in then.iter().zip(now).zip(products) {
        score += (then - now) * product;
    }
    score
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::num::Random;

    #[test]
    fn scores_are_bit_identical_to_the_formula() {
        let mut random = Random::new(1);
        for (count, digits, slope) in
            [(1, 0, 0.5), (40, 1, 0.0), (77, 1, 0.25), (41, 2, 0.0), (33, 3, 0.1)]
        {
            let mut normals = |n: usize| (0..n).map(|_| random.normal()).collect::<Vec<f32>>();
            let start = normals(count);
            let then = normals(count * digits);
            let (now, products) = (vec![1.0; digits], normals(digits));
            let mut found = start.clone();
            position_scores(&mut found, &then, &now, &products, 0.3, slope);
            for (m, found) in found.iter().enumerate() {
                let mut score = start[m];
                for j in 0..digits {
                    score += (then[m * digits + j] - 1.0) * products[j];
                }
                assert_eq!(*found, score * 0.3 - slope * (count - 1 - m) as f32);
            }
        }
    }
}
