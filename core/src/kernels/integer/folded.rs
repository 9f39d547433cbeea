//! The query/key-input site in integers: products with the folded columns of the overridden block.
//!
//! All overridden columns of a run hold the same value, so the corresponding columns of a weight matrix are
//! replaced by ("folded" into) their sum.

use crate::kernels::rows::rows;
use crate::num::{Exponent, PreparedMultiplier, Shift};

/// The unit of folded columns.
pub const FOLDED_UNIT: Exponent = Exponent(-20);

/// The largest magnitude of a folded column, `2^7`, in units of [`FOLDED_UNIT`].
pub const FOLDED_LIMIT: u32 = 1 << (7 - FOLDED_UNIT.0);

/// Number of binary digits by which a position term, a product in units of `2^-30`, is shifted right.
pub const TERM_SHIFT: u32 = 14;

/// Converts to units of `2^-20`, rounded half up: a branchless [`to_fixed`](crate::num::to_fixed) for magnitudes
/// below `2^7`.
#[inline(always)]
const fn to_fixed_20(value: f32) -> i32 {
    let bits = value.to_bits();
    let sign = bits as i32 >> 31;
    // The float as 31 digits in units of 2^(biased - 157): `cut` digits are truncated, one more is rounded.
    let digits = ((bits << 8 | 1 << 31) >> 1) as i32;
    let cut = (FOLDED_UNIT.0 + 156).wrapping_sub((bits >> 23 & 0xff) as i32) as u32;
    let cut = if cut > 31 { 31 } else { cut };
    let rounded = ((digits ^ sign).wrapping_sub(sign) >> cut).wrapping_add(1);
    rounded >> 1
}

/// Computes `q += factor·folded`, or `q -= factor·folded` if `negative`, saturating.
///
/// `factor` must be prepared for magnitudes up to [`FOLDED_LIMIT`].
#[inline(never)]
pub fn add_folded(folded: &[f32], factor: PreparedMultiplier, negative: bool, q: &mut [i32]) {
    let sign = if negative { -1 } else { 0 };
    let folded = folded.iter().map(|value| (to_fixed_20(*value) ^ sign).wrapping_sub(sign));
    factor.apply_all(folded, q.iter_mut(), |q, value| *q = q.saturating_add(value));
}

/// Returns `Σ_i round(query_i·2^shift)·folded_i`, whose terms must not exceed `2^24·2^27`.
#[inline(never)]
pub fn dot_folded(folded: &[f32], query: &[i32], shift: i32) -> i64 {
    let shift = Shift::new(shift);
    query.iter().zip(folded).fold(0i64, |sum, (q, w)| {
        sum.wrapping_add(i64::from(shift.apply(*q)).wrapping_mul(i64::from(to_fixed_20(*w))))
    })
}

/// Returns an upper bound of the words, and so of the distance of any two, at most twice the largest word.
#[inline(never)]
pub fn distance_bound(words: &[u32]) -> u32 {
    let add = |all: u32, word: &u32| all | word;
    let fours = words.chunks_exact(4);
    let rest = fours.remainder().iter().fold(0, add);
    fours.fold(rest, |all, four| match four {
        [a, b, c, d] => add(add(add(add(all, a), b), c), d),
        _ => all,
    })
}

/// Adds the position terms to scores: `score_m += round(Σ_j (then_mj − now_j)·products_j / 2^14)`, saturating.
///
/// `then` has a row of `now.len()` words for every score. The magnitude of every sum must be below `2^44`, and the
/// distance of every word from the corresponding word of `now` at most `bound`, which is below `2^31`.
#[inline(never)]
pub fn add_terms(scores: &mut [i32], then: &[u32], now: &[u32], products: &[i64], bound: u32) {
    if let ([now], [product, ..]) = (now, products) {
        // The upper half of `product·2^left · distance·2^(18 - left)` is the term.
        let left = (product.unsigned_abs().leading_zeros().saturating_sub(33)).min(32 - TERM_SHIFT);
        let right = 32 - TERM_SHIFT - left;
        let small = i32::try_from(*product).is_ok() && bound.leading_zeros() > right;
        if small {
            let product = i64::from((*product << left) as i32);
            for (score, then) in scores.iter_mut().zip(then) {
                let distance = (then.wrapping_sub(*now) << right) as i32;
                let term = i64::from(distance).wrapping_mul(product).wrapping_add(1 << 31);
                *score = score.saturating_add((term >> 32) as i32);
            }
            return;
        }
    }
    for (score, then) in scores.iter_mut().zip(rows(then, now.len())) {
        let digits = then.iter().zip(now).zip(products);
        let term = digits.fold(0i64, |sum, ((then, now), product)| {
            let distance = i64::from(then.wrapping_sub(*now) as i32);
            sum.wrapping_add(distance.wrapping_mul(*product))
        });
        let rounded = (term >> (TERM_SHIFT - 1)).wrapping_add(1) >> 1;
        *score = score.saturating_add(rounded as i32);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::num::{Multiplier, Random, to_fixed};

    fn folded(random: &mut Random, count: usize) -> Vec<f32> {
        let any = |random: &mut Random| f32::from_bits(random.next_u32() & 0x8fff_ffff);
        (0..count)
            .map(|i| match i % 4 {
                0 => any(random),
                1 => random.normal(),
                2 => (random.normal() * 40.0).clamp(-127.9, 127.9),
                _ => [0.0, -0.0, 127.999_99, -127.999_99, 1e-40, 0.5f32.powi(21)][i % 6],
            })
            .collect()
    }

    #[test]
    fn to_fixed_20_matches_to_fixed() {
        let mut random = Random::new(1);
        for value in folded(&mut random, 400_000) {
            assert_eq!(to_fixed_20(value), to_fixed(value, FOLDED_UNIT), "{value:e}");
            // Ties: halves of the last digit.
            let half = (value * 2f32.powi(20)).floor() / 2f32.powi(20) + 0.5f32.powi(21);
            assert_eq!(to_fixed_20(half), to_fixed(half, FOLDED_UNIT), "{half:e}");
        }
    }

    #[test]
    fn add_folded_matches_the_multiplier() {
        let mut random = Random::new(2);
        for round in 0..3_000 {
            let folded = folded(&mut random, round % 23);
            let multiplier = Multiplier::new(random.next_u64(), -64 - random.below(40) as i32)
                .shifted(random.below(40) as i32);
            let factor = PreparedMultiplier::new(multiplier, FOLDED_LIMIT, Exponent(-16));
            let start: Vec<i32> = folded.iter().map(|_| random.next_u32() as i32).collect();
            for negative in [false, true] {
                let mut q = start.clone();
                add_folded(&folded, factor, negative, &mut q);
                for ((q, start), column) in q.iter().zip(&start).zip(&folded) {
                    let column = to_fixed(*column, FOLDED_UNIT);
                    let column = if negative { -column } else { column };
                    assert_eq!(*q, start.saturating_add(multiplier.apply(column, Exponent(-16))));
                }
            }
        }
    }

    #[test]
    fn dot_products_with_folded_columns_are_exact() {
        let mut random = Random::new(3);
        for round in 0..3_000 {
            let folded = folded(&mut random, round % 37);
            let bits = random.below(31);
            let query: Vec<i32> =
                folded.iter().map(|_| random.next_u32() as i32 >> bits >> 1).collect();
            let shift = bits as i32 - 7;
            let sum: i64 = query
                .iter()
                .zip(&folded)
                .map(|(q, w)| {
                    let rounded = crate::num::mul_pow2(i64::from(*q), shift);
                    rounded * i64::from(to_fixed(*w, FOLDED_UNIT))
                })
                .sum();
            assert_eq!(dot_folded(&folded, &query, shift), sum);
        }
    }

    #[test]
    fn distance_bound_is_at_least_the_largest_word() {
        let mut random = Random::new(5);
        for count in 0..70 {
            let bits = random.below(32);
            let words: Vec<u32> = (0..count).map(|_| random.next_u32() >> bits).collect();
            let largest = words.iter().copied().max().unwrap_or(0);
            let bound = u64::from(distance_bound(&words));
            assert!(bound >= u64::from(largest) && bound <= 2 * u64::from(largest));
        }
    }

    #[test]
    fn terms_are_rounded_exact_sums() {
        let mut random = Random::new(4);
        for round in 0..20_000 {
            let digits = 1 + random.below(2) as usize * (round % 3);
            let count = random.below(9) as usize;
            let bound = random.next_u32() >> (1 + random.below(31));
            let now: Vec<u32> = (0..digits).map(|_| random.next_u32()).collect();
            let then: Vec<u32> = (0..count * digits)
                .map(|i| {
                    let by = random.below(bound.max(1)) as i32;
                    now[i % digits].wrapping_add_signed(if random.below(2) == 0 { by } else { -by })
                })
                .collect();
            // Keeps the sum of all terms below 2^44.
            let most = (1u64 << 44) / u64::from(bound.max(1)) / digits as u64;
            let products: Vec<i64> = (0..digits)
                .map(|_| {
                    let size = (random.next_u64() >> random.below(64)) % most;
                    if random.below(2) == 0 { size as i64 } else { -(size as i64) }
                })
                .collect();
            let start: Vec<i32> = (0..count).map(|_| random.next_u32() as i32).collect();
            let mut scores = start.clone();
            add_terms(&mut scores, &then, &now, &products, bound);
            for (i, (score, start)) in scores.iter().zip(start).enumerate() {
                let term: i128 = (0..digits)
                    .map(|j| {
                        let distance = then[i * digits + j].wrapping_sub(now[j]) as i32;
                        i128::from(distance) * i128::from(products[j])
                    })
                    .sum();
                let rounded = (term + (1 << 13)) >> 14;
                assert_eq!(*score, start.saturating_add(rounded as i32), "{products:?} {bound}");
            }
        }
    }
}
