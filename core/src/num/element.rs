use super::Dyadic;

/// The set of values of a number format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Binary floating point.
    Float {
        /// Number of significant binary digits, including the implicit one.
        digits: u32,
        /// The smallest spacing between values, that of subnormals, is `2^quantum`.
        quantum: i32,
        /// The largest finite value is `(2^digits − 1) · 2^top`.
        top: i32,
    },
    /// Two's-complement fixed point: the integers `lowest..=highest`, each times `2^quantum`.
    Fixed {
        /// The spacing between values is `2^quantum`.
        quantum: i32,
        /// The lowest integer.
        lowest: i64,
        /// The highest integer.
        highest: i64,
    },
}

/// A number format of the elements that a position encoding reads and writes.
///
/// Implemented for `f32`, for the integers `i8` and `i16`, for `half::f16` and `half::bf16` (feature
/// `half`), and for the signed and unsigned 8- to 64-bit types of the `fixed` crate (feature `fixed`;
/// unsigned types up to 32 bits).
pub trait Element: Copy + PartialEq + core::fmt::Debug {
    /// Zero.
    const ZERO: Self;

    /// The values of the format.
    const FORMAT: Format;

    /// Returns the value nearest to `value`, ties to even; `None` beyond the largest finite value.
    fn from_dyadic(value: Dyadic) -> Option<Self>;

    /// Returns the exact value; `None` for infinities and NaN.
    fn to_dyadic(self) -> Option<Dyadic>;

    /// Returns the nearest value; integers and fixed-point formats saturate and map NaN to zero.
    fn from_f32(value: f32) -> Self;

    /// Returns the nearest `f32`; exact for formats of at most 24 significant digits.
    fn to_f32(self) -> f32;
}

// The layout of f32. Conversions work on the bits, because even a comparison of floats is a call into a
// soft-float library on chips without a floating-point unit.
const DIGITS: u32 = 24;
const QUANTUM: i32 = -149;
const SIGN: u32 = 1 << 31;
const FRACTION: u32 = 0x007f_ffff;

impl Element for f32 {
    const ZERO: Self = 0.0;
    const FORMAT: Format = Format::Float { digits: DIGITS, quantum: QUANTUM, top: 104 };

    fn from_dyadic(value: Dyadic) -> Option<Self> {
        let Dyadic { mantissa, exponent } = value.round_float(DIGITS, QUANTUM).reduced();
        let magnitude = mantissa.unsigned_abs();
        let sign = if mantissa < 0 { SIGN } else { 0 };
        let Some(top) = magnitude.checked_ilog2() else { return Some(Self::ZERO) };
        // The value, 1.fraction · 2^(top + exponent), now has at most 24 significant digits.
        let biased = exponent.saturating_add_unsigned(top).saturating_add(127);
        let bits = if biased > 254 {
            return None;
        } else if biased > 0 {
            let significand = magnitude.checked_shl(23u32.checked_sub(top)?)? as u32;
            ((biased as u32) << 23) | (significand & FRACTION)
        } else {
            magnitude.checked_shl(exponent.checked_sub(QUANTUM)?.try_into().ok()?)? as u32
        };
        Some(Self::from_bits(sign | bits))
    }

    fn to_dyadic(self) -> Option<Dyadic> {
        let bits = self.to_bits();
        let biased = ((bits >> 23) & 0xff) as i32;
        let fraction = i64::from(bits & FRACTION);
        let (magnitude, exponent) = match biased {
            0 => (fraction, QUANTUM),
            255 => return None,
            _ => (fraction | 0x0080_0000, biased - 150),
        };
        let mantissa = if bits & SIGN == 0 { magnitude } else { -magnitude };
        Some(Dyadic { mantissa, exponent })
    }

    fn from_f32(value: f32) -> Self {
        value
    }

    fn to_f32(self) -> f32 {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f32_round_trips_through_dyadic() {
        let values = [
            0.0,
            1.0,
            -1.5,
            f32::MIN_POSITIVE,
            f32::from_bits(1),
            f32::MAX,
            -f32::MAX,
            0.1,
            16_777_217.0,
        ];
        for value in values {
            let exact = value.to_dyadic().unwrap();
            assert_eq!(f32::from_dyadic(exact), Some(value));
        }
        let mut bits = 1u32;
        for _ in 0..100_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = f32::from_bits(bits);
            assert_eq!(value.to_dyadic().is_some(), value.is_finite());
            if let Some(exact) = value.to_dyadic() {
                assert_eq!(exact.mantissa as f64 * 2f64.powi(exact.exponent), f64::from(value));
                assert_eq!(f32::from_dyadic(exact), Some(value));
            }
        }
        assert_eq!(f32::NAN.to_dyadic(), None);
        assert_eq!(f32::INFINITY.to_dyadic(), None);
        let halves = Dyadic { mantissa: -3, exponent: -151 };
        assert_eq!(f32::from_dyadic(halves), Some(-f32::from_bits(1)));
        assert_eq!(f32::from_dyadic(Dyadic { mantissa: 1, exponent: 128 }), None);
        // (2^25 − 1)·2^103 rounds up to 2^128.
        assert_eq!(f32::from_dyadic(Dyadic { mantissa: (1 << 25) - 1, exponent: 103 }), None);
    }
}
