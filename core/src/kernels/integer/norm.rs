use super::quantize::{digits, quantize};
use crate::num::{Exponent, Multiplier, Shift, saturate, to_fixed};

/// Number of binary digits to which the largest element is scaled before it is squared.
const DIGITS: i32 = 24;
/// The unit of a gain.
const GAIN: Exponent = Exponent(-20);
/// Number of binary digits dropped from the product with the gain.
const DROPPED: i32 = 25;

/// The unit of the shortened product.
const UNIT: Multiplier = Multiplier::new(1, GAIN.0 + DROPPED);

/// Normalizes a row `x` in units of `2^exponent` and quantizes the result; returns its scale `s`.
///
/// `quants_i·s ≈ g_i·x_i / sqrt(mean(x²) + ε)`, after `x ← x − mean(x)` if `centered` (layer norm).
///
/// `y` is scratch of the length of the row. Gains must be below `2^11` in magnitude, and rows at most `2^15` wide:
/// the squares of 24-bit numbers then add up to less than `2^63`.
///
/// The quants depend on the gain and on the ratios of the elements only. The mean square enters the scale only,
/// whose relative error is below `2^-20`.
///
/// The integer form of [`kernels::rms_norm`](crate::kernels::rms_norm) and
/// [`kernels::layer_norm`](crate::kernels::layer_norm) with [`quantize`].
pub fn norm(
    x: &[i32],
    exponent: Exponent,
    centered: bool,
    gain: &[f32],
    epsilon: Multiplier,
    y: &mut [i32],
    quants: &mut [i8],
) -> f32 {
    let count = x.len() as u32;
    let mean = if centered { mean(x) } else { 0 };
    for (y, x) in y.iter_mut().zip(x) {
        *y = x.saturating_sub(mean);
    }
    // The row is scaled to full precision, so that the result does not depend on its magnitude.
    let shift = DIGITS - digits(y) as i32;
    let exponent = exponent.0 - shift;
    let shift = Shift::new(shift);
    let mut squares = 0u64;
    for (y, gain) in y.iter_mut().zip(gain) {
        let x = shift.apply(*y);
        squares = squares.wrapping_add((i64::from(x) * i64::from(x)) as u64);
        let product = i64::from(x) * i64::from(to_fixed(*gain, GAIN));
        *y = ((product + (1 << (DROPPED - 1))) >> DROPPED) as i32;
    }
    let mean_square = divide(squares, count);
    // Units in which ε has at most 62 bits; the mean square has fewer than 49.
    let unit = 2 * exponent;
    let excess = (epsilon.log2() - unit - 60).max(0) as u32;
    let excess = (excess + 1) & !1;
    let epsilon = epsilon.apply_wide(1, Exponent(unit + excess as i32)).unsigned_abs();
    let mean_square = mean_square.checked_shr(excess).unwrap_or(0);
    let root = Multiplier::root(mean_square + epsilon).shifted((excess / 2) as i32);
    let unit = UNIT.over(root);
    quantize(y, unit, quants)
}

/// Returns the mean, rounded toward zero.
fn mean(x: &[i32]) -> i32 {
    let sum = x.iter().fold(0i64, |sum, x| sum + i64::from(*x));
    let mean = divide(sum.unsigned_abs(), x.len() as u32) as i64;
    saturate(if sum < 0 { -mean } else { mean })
}

/// Returns `⌊x/count⌋` for `count ≤ 2^16`, or 0 for `count` 0, by four 32-bit divisions.
fn divide(x: u64, count: u32) -> u64 {
    let (mut quotient, mut rest) = (0u64, 0u32);
    for shift in [48, 32, 16, 0] {
        let digits = rest << 16 | (x >> shift) as u32 & 0xffff;
        quotient = quotient << 16 | u64::from(digits.checked_div(count).unwrap_or(0));
        rest = digits.checked_rem(count).unwrap_or(0);
    }
    quotient
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::num::Random;

    #[test]
    fn norm_matches_floating_point() {
        let mut random = Random::new(1);
        for round in 0..400 {
            let (count, centered) = (1 + random.below(300) as usize, round % 2 == 1);
            let exponent = -(random.below(24) as i32);
            let size = 2f32.powi(random.below(24) as i32);
            let x: Vec<i32> = (0..count).map(|_| (random.normal() * size) as i32).collect();
            let gain: Vec<f32> = (0..count).map(|_| 1.0 + random.normal()).collect();
            let (mut y, mut quants) = (vec![0; count], vec![0; count]);
            let epsilon = Multiplier::from_f32(1e-5);
            let found = norm(&x, Exponent(exponent), centered, &gain, epsilon, &mut y, &mut quants);

            let unit = 2f64.powi(exponent);
            let x: Vec<f64> = x.iter().map(|x| f64::from(*x) * unit).collect();
            let mean = if centered { x.iter().sum::<f64>() / count as f64 } else { 0.0 };
            let square = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count as f64;
            let root = (square + f64::from(1e-5f32)).sqrt();
            let exact: Vec<f64> =
                x.iter().zip(&gain).map(|(x, g)| f64::from(*g) * (x - mean) / root).collect();
            let largest = exact.iter().fold(0.0, |max: f64, x| max.max(x.abs()));
            let scale = largest / 127.0;
            // The mean is off by less than a unit, and so are every element and the root; a gain is off by
            // 2^-21, and elements are at most √count.
            let mean_error = if centered { 2.0 * unit / root * 10.0 } else { 0.0 };
            let slack = (mean_error + 2f64.powi(-20)) * (count as f64).sqrt() * 5.0;
            for (quant, exact) in quants.iter().zip(&exact) {
                let error = (f64::from(*quant) * f64::from(found) - exact).abs();
                let bound = scale * 0.5001 + largest * 2f64.powi(-17) + slack;
                assert!(error <= bound, "{error} > {bound}: {count} {exponent} {size} {centered}");
            }
        }
    }

    #[test]
    fn quotients_are_exact() {
        let mut random = Random::new(2);
        for _ in 0..100_000 {
            let x = random.next_u64() >> random.below(64);
            let bits = 1 + random.below(16);
            let count = 1 + random.below(1 << bits);
            assert_eq!(divide(x, count), x / u64::from(count), "{x} {count}");
        }
        assert_eq!((divide(u64::MAX, 1 << 16), divide(5, 0)), (u64::MAX >> 16, 0));
    }

    #[test]
    fn extremes_stay_in_range() {
        let epsilon = Multiplier::from_f32(1e-5);
        for value in [0, 1, -1, i32::MAX, i32::MIN] {
            for exponent in [-40, -20, 0, 20] {
                let (mut y, mut quants) = ([0; 4], [0; 4]);
                let x = [value, 0, value, 0];
                let gain = [2.0, 1.0, -2000.0, 0.0];
                let scale =
                    norm(&x, Exponent(exponent), false, &gain, epsilon, &mut y, &mut quants);
                assert!(scale.is_finite() && scale >= 0.0);
                assert_eq!(quants[2], if value == 0 { 0 } else { -127 * value.signum() as i8 });
            }
        }
        assert_eq!(norm(&[], Exponent(0), true, &[], epsilon, &mut [], &mut []), 0.0);
    }
}
