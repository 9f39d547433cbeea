use super::Exponent;

/// A dyadic rational, `mantissa · 2^exponent`.
///
/// Every finite value of a binary number format is one. Position encodings compute with dyadic rationals in
/// integers and round once, to the target format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dyadic {
    /// The integer factor.
    pub mantissa: i64,
    /// The power of two.
    pub exponent: i32,
}

impl Dyadic {
    /// Returns the same value with an odd mantissa; zero becomes `0 · 2^0`.
    ///
    /// ```
    /// use expe_core::num::Dyadic;
    /// let twelve = Dyadic { mantissa: 12, exponent: 0 };
    /// assert_eq!(twelve.reduced(), Dyadic { mantissa: 3, exponent: 2 });
    /// ```
    #[inline(never)]
    pub const fn reduced(self) -> Self {
        if self.mantissa == 0 {
            return Self { mantissa: 0, exponent: 0 };
        }
        let zeros = self.mantissa.trailing_zeros();
        Self {
            mantissa: self.mantissa >> zeros,
            exponent: self.exponent.saturating_add(zeros as i32),
        }
    }

    /// Returns the mantissa of this value at `exponent`.
    ///
    /// `None` if the value is not a multiple of `2^exponent` or the mantissa does not fit in `i64`.
    #[inline(never)]
    pub(crate) const fn at_exponent(self, exponent: i32) -> Option<i64> {
        let value = self.reduced();
        if value.mantissa == 0 {
            return Some(0);
        }
        let shift = value.exponent.saturating_sub(exponent);
        if shift < 0 || shift > 62 {
            return None;
        }
        let shifted = value.mantissa << shift;
        if shifted >> shift == value.mantissa { Some(shifted) } else { None }
    }

    /// Rounds to a multiple of `2^exponent`, ties to even, and returns the multiplier.
    ///
    /// `None` if the multiplier does not fit in `i64`.
    #[inline(never)]
    pub(crate) const fn round_to(self, exponent: i32) -> Option<i64> {
        let drop = exponent.saturating_sub(self.exponent);
        if drop <= 0 {
            return self.at_exponent(exponent);
        }
        if drop > 63 {
            return Some(0);
        }
        let drop = drop as u32;
        let magnitude = self.mantissa.unsigned_abs();
        let (kept, lost, half) = if drop == 63 {
            (magnitude >> 63, magnitude & (u64::MAX >> 1), 1u64 << 62)
        } else {
            (magnitude >> drop, magnitude & ((1u64 << drop) - 1), 1u64 << (drop - 1))
        };
        let up = lost > half || (lost == half && kept & 1 == 1);
        let rounded = kept.saturating_add(up as u64) as i64;
        Some(if self.mantissa < 0 { rounded.wrapping_neg() } else { rounded })
    }

    /// Rounds to a multiple of `2^exponent`, ties up, and returns the multiplier, saturated to `i64`.
    ///
    /// ```
    /// use expe_core::num::Dyadic;
    /// assert_eq!(Dyadic { mantissa: 5, exponent: -1 }.round_half_up(0), 3);
    /// assert_eq!(Dyadic { mantissa: -5, exponent: -1 }.round_half_up(0), -2);
    /// ```
    pub const fn round_half_up(self, exponent: i32) -> i64 {
        let Self { mantissa, .. } = self;
        match exponent.saturating_sub(self.exponent) {
            drop @ 1..=63 => {
                let floor = mantissa >> (drop - 1);
                (floor >> 1) + (floor & 1)
            }
            // The magnitude is less than half a multiple.
            64.. => 0,
            0 => mantissa,
            raise => {
                let raise = raise.unsigned_abs();
                let room = if mantissa < 0 { !mantissa } else { mantissa }.leading_zeros();
                if mantissa == 0 {
                    0
                } else if raise < room {
                    mantissa << raise
                } else if mantissa < 0 {
                    i64::MIN
                } else {
                    i64::MAX
                }
            }
        }
    }

    /// Adds this value to the fixed-point number `x·2^exponent` and returns the sum in the same units.
    ///
    /// This value is rounded to a multiple of `2^exponent` first, ties up; the sum saturates.
    pub(crate) fn add_to_fixed(self, x: i64, exponent: Exponent) -> i32 {
        let sum = x.saturating_add(self.round_half_up(exponent.0));
        sum.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    /// Rounds as a binary floating-point format does: to `digits` significant binary digits and to a multiple
    /// of `2^quantum`, ties to even.
    pub(crate) const fn round_float(self, digits: u32, quantum: i32) -> Self {
        let bits = 64 - self.mantissa.unsigned_abs().leading_zeros();
        let excess = bits.saturating_sub(digits) as i32;
        let float = self.exponent.saturating_add(excess);
        let exponent = if float > quantum { float } else { quantum };
        if exponent <= self.exponent {
            return self;
        }
        match self.round_to(exponent) {
            Some(mantissa) => Self { mantissa, exponent },
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_ties_to_even() {
        let expected = [(5, 2), (6, 3), (7, 4), (-5, -2), (-6, -3), (-7, -4), (4, 2), (0, 0)];
        for (mantissa, rounded) in expected {
            assert_eq!(
                Dyadic { mantissa, exponent: -1 }.round_to(0),
                Some(rounded),
                "{mantissa}/2"
            );
        }
    }

    #[test]
    fn rounds_ties_up_and_saturates() {
        for mantissa in [i64::MIN, i64::MIN + 1, -7, -6, -1, 0, 1, 2, 3, 1 << 40, i64::MAX] {
            for drop in -70..=70i32 {
                let exact = if drop > 0 {
                    (i128::from(mantissa) + (1i128 << (drop - 1))) >> drop
                } else {
                    i128::from(mantissa).saturating_mul(1i128.checked_shl(-drop as u32).unwrap())
                };
                let expected = exact.clamp(i64::MIN.into(), i64::MAX.into());
                let rounded = Dyadic { mantissa, exponent: 3 }.round_half_up(3 + drop);
                assert_eq!(i128::from(rounded), expected, "{mantissa} / 2^{drop}");
            }
        }
    }

    #[test]
    fn rounds_like_f32() {
        // The conversion i64 -> f32 rounds to nearest even, so it is an independent reference.
        let mut mantissa = 0x0123_4567_89ab_cdef_i64;
        for _ in 0..10_000 {
            mantissa = mantissa.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let rounded = Dyadic { mantissa, exponent: 0 }.round_float(24, -149);
            let value = rounded.mantissa as f64 * (2f64).powi(rounded.exponent);
            assert_eq!(value, f64::from(mantissa as f32));
        }
    }

    #[test]
    fn values_that_do_not_fit_give_none() {
        assert_eq!(Dyadic { mantissa: 1, exponent: 0 }.at_exponent(1), None);
        assert_eq!(Dyadic { mantissa: 1, exponent: 63 }.at_exponent(0), None);
        assert_eq!(Dyadic { mantissa: 6, exponent: 0 }.at_exponent(1), Some(3));
        assert_eq!(Dyadic { mantissa: i64::MIN, exponent: 0 }.round_to(80), Some(0));
    }
}
