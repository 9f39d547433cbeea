use core::cmp::Ordering;

use super::division::{quotient, square_root};
use super::shift::{mul_pow2, saturate};
use super::{Dyadic, Exponent};

/// A nonnegative scale factor `mantissa · 2^exponent` with 31 significant binary digits.
///
/// The mantissa is 0 or in `2^30..2^31`. Products and quotients are rounded down, so each adds a relative
/// error of at most `2^-30`. Everything is computed in integers and bit-identical on every target.
///
/// ```
/// use expe_core::internals::{Exponent, Multiplier};
/// let third = Multiplier::from_integer(1).over(Multiplier::from_integer(3));
/// // A third of 300, in units of 2^-4.
/// assert_eq!(third.apply(300, Exponent(-4)), 1_600);
/// assert_eq!(Multiplier::from_f32(0.15625).to_f32(), 0.15625);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multiplier {
    mantissa: u32,
    exponent: i32,
}

/// Number of binary digits of a mantissa.
const DIGITS: u32 = 31;

impl Multiplier {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, exponent: 0 };

    /// `log2 e`
    pub const LOG2_E: Self = Self::new(3_098_164_009, -31);

    /// Creates `value · 2^exponent`, truncated to 31 digits.
    #[inline(never)] // for code size: never called per element
    pub const fn new(value: u64, exponent: i32) -> Self {
        if value == 0 {
            return Self::ZERO;
        }
        let digits = u64::BITS - value.leading_zeros();
        let mantissa =
            if digits > DIGITS { value >> (digits - DIGITS) } else { value << (DIGITS - digits) };
        let moved = digits as i32 - DIGITS as i32;
        Self { mantissa: mantissa as u32, exponent: exponent + moved }
    }

    /// Creates `2^exponent`.
    pub const fn power_of_two(exponent: Exponent) -> Self {
        Self::new(1, exponent.0)
    }

    /// Converts an integer, truncated to 31 digits.
    pub const fn from_integer(value: u64) -> Self {
        Self::new(value, 0)
    }

    /// Converts the magnitude of a finite float exactly, without floating-point instructions.
    pub const fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        let biased = (bits >> 23 & 0xff) as i32;
        let fraction = bits & 0x007f_ffff;
        if biased == 0 {
            return Self::new(fraction as u64, -149);
        }
        Self { mantissa: (fraction | 0x0080_0000) << 7, exponent: biased - 157 }
    }

    /// Converts the magnitude of a dyadic rational, truncated to 31 digits.
    pub const fn from_dyadic(value: Dyadic) -> Self {
        Self::new(value.mantissa.unsigned_abs(), value.exponent)
    }

    /// Computes `√x`, truncated to 31 digits.
    pub const fn root(x: u64) -> Self {
        if x == 0 {
            return Self::ZERO;
        }
        // The shift is even, so that the unit of the root is a power of two.
        let shift = x.leading_zeros() & !1;
        let root = square_root(x << shift >> 2);
        Self { mantissa: root, exponent: 1 - (shift as i32 / 2) }
    }

    /// Rounds down to a float, without floating-point instructions.
    ///
    /// Returns 0 below the normal range and the largest float above it.
    pub const fn to_f32(self) -> f32 {
        let biased = self.exponent + 157;
        if self.mantissa == 0 || biased < 1 {
            return 0.0;
        }
        if biased > 254 {
            return f32::MAX;
        }
        f32::from_bits((biased as u32) << 23 | (self.mantissa >> 7 & 0x007f_ffff))
    }

    /// Returns the mantissa and the exponent.
    pub(super) const fn parts(self) -> (u32, i32) {
        (self.mantissa, self.exponent)
    }

    /// Returns whether the number is zero.
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Returns `⌊log2⌋` of the number; `i32::MIN` for zero.
    pub const fn log2(self) -> i32 {
        if self.mantissa == 0 {
            return i32::MIN;
        }
        self.exponent + DIGITS as i32 - 1
    }

    /// Returns the product.
    #[must_use]
    #[inline(never)]
    pub const fn times(self, other: Self) -> Self {
        let product = self.mantissa as u64 * other.mantissa as u64;
        // The product has 61 or 62 digits unless it is zero; the upper 31 are kept.
        let top = (product >> 30) as u32;
        let excess = top >> 31;
        if top == 0 {
            return Self::ZERO;
        }
        let exponent = self.exponent + other.exponent;
        Self { mantissa: top >> excess, exponent: exponent + 30 + excess as i32 }
    }

    /// Returns the sum.
    #[must_use]
    #[inline(never)]
    pub const fn plus(self, other: Self) -> Self {
        let (low, high) = match self.order(other) {
            Ordering::Less => (self, other),
            _ => (other, self),
        };
        if low.mantissa == 0 {
            return high;
        }
        let apart = (high.exponent - low.exponent).unsigned_abs();
        let high_part = (high.mantissa as u64) << 32;
        let low_part = if apart < 64 { ((low.mantissa as u64) << 32) >> apart } else { 0 };
        Self::new(high_part + low_part, high.exponent - 32)
    }

    #[inline(never)]
    const fn order(self, other: Self) -> Ordering {
        let (a, b) = (self.log2(), other.log2());
        if a < b || (a == b && self.mantissa < other.mantissa) {
            Ordering::Less
        } else if a == b && self.mantissa == other.mantissa {
            Ordering::Equal
        } else {
            Ordering::Greater
        }
    }

    /// Returns the product with `2^by`.
    #[must_use]
    pub const fn shifted(self, by: i32) -> Self {
        if self.mantissa == 0 {
            return self;
        }
        Self { exponent: self.exponent + by, ..self }
    }

    /// Returns the quotient; zero if `other` is zero.
    #[must_use]
    pub const fn over(self, other: Self) -> Self {
        if self.mantissa == 0 || other.mantissa == 0 {
            return Self::ZERO;
        }
        // 31 or 32 digits.
        let quotient = quotient(self.mantissa, other.mantissa);
        let excess = quotient >> 31;
        let exponent = self.exponent - other.exponent;
        let mantissa = quotient >> excess;
        Self { mantissa, exponent: exponent - (31 - excess as i32) }
    }

    /// Multiplies `x` by this number and returns the product in units of `2^exponent`, rounded half up and
    /// saturated.
    #[inline(never)]
    pub const fn apply(self, x: i32, exponent: Exponent) -> i32 {
        saturate(self.apply_wide(x, exponent))
    }

    /// Like [`apply`](Self::apply), but saturates at 64 bits.
    #[inline(never)]
    pub const fn apply_wide(self, x: i32, exponent: Exponent) -> i64 {
        let product = x as i64 * self.mantissa as i64;
        mul_pow2(product, self.exponent - exponent.0)
    }

    /// Like [`apply_wide`](Self::apply_wide) for a 64-bit `x`, which is rounded to 31 significant digits first.
    pub const fn apply_to_wide(self, x: i64, exponent: Exponent) -> i64 {
        let digits = u64::BITS - x.unsigned_abs().leading_zeros();
        let excess = digits.saturating_sub(DIGITS) as i32;
        let exponent = Exponent(exponent.0 - excess);
        self.apply_wide(saturate(mul_pow2(x, excess.wrapping_neg())), exponent)
    }
}

impl Ord for Multiplier {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(*other)
    }
}

impl PartialOrd for Multiplier {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::Random;

    fn value(x: Multiplier) -> f64 {
        f64::from(x.mantissa) * 2f64.powi(x.exponent)
    }

    #[test]
    fn floats_convert_exactly_both_ways() {
        let mut random = Random::new(1);
        for _ in 0..100_000 {
            let x = f32::from_bits(random.next_u32());
            if x.is_finite() {
                let multiplier = Multiplier::from_f32(x);
                // 2^-179 times a mantissa is exact in f64.
                assert_eq!(value(multiplier), f64::from(x.abs()));
                if x == 0.0 || x.is_normal() {
                    assert_eq!(multiplier.to_f32(), x.abs());
                }
            }
        }
        assert_eq!(Multiplier::new(1, 200).to_f32(), f32::MAX);
        assert_eq!(Multiplier::new(1, -200).to_f32(), 0.0);
    }

    #[test]
    fn products_and_quotients_are_off_by_less_than_a_digit() {
        let mut random = Random::new(2);
        for _ in 0..100_000 {
            let (a, b) = (f64::from(random.next_u32()) + 1.0, f64::from(random.next_u32()) + 1.0);
            let (x, y) = (Multiplier::new(a as u64, -7), Multiplier::new(b as u64, 9));
            // Both factors and the result are truncated to 31 digits.
            let bound = 3.0 * 2f64.powi(-30);
            let product = a * b * 4.0;
            assert!((value(x.times(y)) / product - 1.0).abs() <= bound);
            let quotient = a / b * 2f64.powi(-16);
            assert!((value(x.over(y)) / quotient - 1.0).abs() <= bound);
            assert_eq!(x.log2(), (a.log2().floor() as i32) - 7);
            assert!((value(x.plus(y)) / (a / 128.0 + b * 512.0) - 1.0).abs() <= bound);
            assert_eq!(x.cmp(&y), value(x).total_cmp(&value(y)));
            let root = Multiplier::root(a as u64);
            assert!((value(root) / a.sqrt() - 1.0).abs() <= bound);
        }
        assert!(Multiplier::root(0).is_zero() && Multiplier::ZERO < Multiplier::new(1, -1_000));
        assert!(Multiplier::ZERO.times(Multiplier::from_integer(5)).is_zero());
        assert!(Multiplier::from_integer(5).over(Multiplier::ZERO).is_zero());
    }

    /// The results equal the truncated results of wider integers.
    #[test]
    fn products_and_quotients_are_truncated() {
        let mut random = Random::new(5);
        for round in 0..300_000u32 {
            // Favors the ends of the range, where estimated digits are wrong most often.
            let mut mantissa = || match random.below(4) {
                0 => (1 << 30) + random.below(3),
                1 => (1 << 31) - 1 - random.below(3),
                2 => ((1 << 15) + random.below(1 << 15)) << 15,
                _ => (1 << 30) + random.below(1 << 30),
            };
            let (a, b) = (u64::from(mantissa()), u64::from(mantissa()));
            let (x, y) = (Multiplier::new(a, 3), Multiplier::new(b, -5));
            assert_eq!(x.over(y), Multiplier::new((a << 32) / b, 8 - 32), "{round}: {a} {b}");
            assert_eq!(x.times(y), Multiplier::new(a * b, -2));
        }
    }

    #[test]
    fn apply_rounds_half_up_and_saturates() {
        let mut random = Random::new(3);
        for _ in 0..200_000 {
            let x = (random.next_u32() >> random.below(31)) as i32;
            let multiplier = Multiplier::new(random.next_u64() >> random.below(63), -40);
            let exponent = random.below(40) as i32 - 20;
            let exact = i128::from(x) * i128::from(multiplier.mantissa);
            let by = multiplier.exponent - exponent;
            // floor(2·value + 1) / 2, in wide integers.
            let rounded = if by >= 0 {
                exact.checked_shl(by as u32).filter(|_| by < 60).unwrap_or(exact << 60)
            } else {
                (exact + (1i128 << (-by - 1))) >> -by
            };
            let expected = rounded.clamp(i128::from(i32::MIN), i128::from(i32::MAX)) as i32;
            assert_eq!(
                multiplier.apply(x, Exponent(exponent)),
                expected,
                "{multiplier:?} {x} {exponent}"
            );
        }
    }

    #[test]
    fn wide_factors_keep_31_digits() {
        let mut random = Random::new(4);
        for _ in 0..100_000 {
            let x = (random.next_u64() >> random.below(60)) as i64;
            let multiplier = Multiplier::new(random.next_u64(), -65);
            let exact = x as f64 * value(multiplier);
            let found = multiplier.apply_to_wide(x, Exponent(0)) as f64;
            assert!((found - exact).abs() <= exact.abs() * 2f64.powi(-29) + 1.0, "{found} {exact}");
        }
    }
}
