//! Base-2 powers and logarithms in integers, used to compute frequencies, slopes and scalings of encodings.
//!
//! They run once per model and favor precision over speed.

use super::{Dyadic, Element};

/// Returns `log2(value)` in units of `2^-64`, at most 7 units too small; `None` unless `1 ≤ value < ∞`.
///
/// Computes one binary digit at a time: squaring a number in `[1, 2)` doubles its logarithm. The `i`-th
/// squaring has a relative error below `2^-62`, which changes the result by `2^(−i)·2^-62/ln 2`.
pub(crate) fn log2(value: f32) -> Option<u128> {
    let Dyadic { mantissa, exponent } = value.to_dyadic()?;
    let magnitude = u64::try_from(mantissa).ok()?;
    let top = magnitude.checked_ilog2()?;
    let whole = u32::try_from(exponent.checked_add_unsigned(top)?).ok()?;
    // In units of 2^-63.
    let mut rest = magnitude.checked_shl(magnitude.leading_zeros())?;
    let mut digits = 0u64;
    for _ in 0..u64::BITS {
        rest = multiply_high(rest, rest); // in units of 2^-62
        digits <<= 1;
        if rest >> 63 == 1 {
            digits |= 1;
        } else {
            rest <<= 1;
        }
    }
    Some((u128::from(whole) << 64) | u128::from(digits))
}

/// Returns `2^(−x)`, where `x` and the result are in units of `2^-64`.
///
/// The relative error is at most `16·2^-64`, and the result is truncated. `2^0` becomes `1 − 2^-64`.
///
/// Evaluates the Taylor series of `e^(−f·ln 2)` for the fraction `f` of `x`, up to the twentieth power, and
/// shifts it by the integer part. The argument is off by 1.5 units, the truncations in Horner's rule add up to
/// 2.4 units of `2^-63`, and the power is at least 1/2.
pub(crate) fn exp2_of_minus(x: u128) -> u64 {
    /// `ln 2` in units of `2^-64`.
    const LN_2: u64 = 0xb172_17f7_d1cf_79ac;
    const ONE: u64 = 1 << 63;
    let angle = multiply_high(x as u64, LN_2);
    let power = (1..=20u64).rev().fold(ONE, |sum, k| {
        // Below one, because every term is smaller than the previous one.
        ONE - multiply_high(angle, sum).checked_div(k).unwrap_or(0)
    });
    let whole = u32::try_from(x >> 64).unwrap_or(u32::MAX);
    let shifted = (u128::from(power) << 1).checked_shr(whole).unwrap_or(0);
    u64::try_from(shifted).unwrap_or(u64::MAX)
}

/// Returns the square root of an integer, rounded once to the nearest `f32`.
pub(crate) fn root(value: u64) -> Option<f32> {
    // The shift is even, and the root of the shifted value has 32 digits.
    let shift = value.leading_zeros() & !1;
    let wide = value.checked_shl(shift)?;
    let root = wide.isqrt();
    // One more digit records whether the root was truncated, which decides ties.
    let cut = root * root != wide;
    let mantissa = i64::try_from((root << 1) | u64::from(cut)).ok()?;
    let half = i32::try_from(shift / 2).ok()?;
    f32::from_dyadic(Dyadic { mantissa, exponent: half.checked_neg()?.checked_sub(1)? })
}

/// Returns `⌊a·b / 2^64⌋`.
pub(crate) const fn multiply_high(a: u64, b: u64) -> u64 {
    ((a as u128 * b as u128) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: f64 = 18_446_744_073_709_551_616.0;

    #[test]
    fn logarithms_match_f64() {
        for value in [1.0, 1.000_000_1, 1.5, 2.0, 3.0, 500.0, 10_000.0, 1e6, 3.4e38, f32::MAX] {
            let exact = f64::from(value).log2();
            let found = log2(value).unwrap() as f64 / UNIT;
            // Both the reference and the converted result are rounded to f64.
            let allowed = exact * 4.0 * f64::EPSILON + 7.0 / UNIT;
            assert!((found - exact).abs() <= allowed, "{value}: {found}");
        }
        for invalid in [0.0, -0.0, -2.0, 0.999_999_9, f32::NAN, f32::INFINITY, 1e-40] {
            assert_eq!(log2(invalid), None);
        }
        assert_eq!(log2(8.0), Some(3 << 64));
    }

    #[test]
    fn logarithms_are_accurate_to_the_last_digits() {
        let ten = log2(10.0).unwrap();
        // log2 10 = 3.321928094887362347870319429489390175864831393…
        let expected = (3 << 64) | 0x5269_e12f_346e_2bf9u128;
        assert!(ten <= expected && expected - ten < 7, "{ten:x}");
    }

    #[test]
    fn powers_invert_logarithms() {
        for value in [1.25f32, 1.5, 2.0, 3.0, 10_000.0, 65_536.0, 123_456.0] {
            let found = exp2_of_minus(log2(value).unwrap());
            // 1/value in integers.
            let exact = ((1u128 << 127) / (f64::from(value) * 2f64.powi(32)) as u128) >> 31;
            let allowed = 1.0 + 32.0 / f64::from(value);
            assert!((found as i128 - exact as i128).abs() as f64 <= allowed, "{value}: {found:x}");
        }
        assert_eq!(exp2_of_minus(0), u64::MAX);
        assert_eq!(exp2_of_minus(5 << 64), 1 << 59);
        assert_eq!(exp2_of_minus(64 << 64), 1);
        assert_eq!(exp2_of_minus(65 << 64), 0);
        assert_eq!(exp2_of_minus(u128::MAX), 0);
        // √½ to 64 binary places.
        assert!(exp2_of_minus(1 << 63).abs_diff(0xb504_f333_f9de_6484) <= 12);
    }

    #[test]
    fn roots_are_rounded_once() {
        for value in (1..100_000u64).chain([1 << 23, (1 << 24) - 1, 1 << 24]) {
            assert_eq!(root(value), Some((value as f32).sqrt()), "{value}");
        }
        for value in [u64::MAX, u64::MAX - 1, (1 << 53) + 2] {
            let exact = (value as f64).sqrt();
            let found = f64::from(root(value).unwrap());
            assert!((found / exact - 1.0).abs() <= f64::from(f32::EPSILON) / 2.0);
        }
    }
}
