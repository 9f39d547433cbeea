use fixed::types::extra::{LeEqU8, LeEqU16, LeEqU32, LeEqU64};
use fixed::{FixedI8, FixedI16, FixedI32, FixedI64, FixedU8, FixedU16, FixedU32};

use super::{Dyadic, Element, Format};

macro_rules! fixed_point {
    ($type:ident, $bits:ty, $bound:ident) => {
        impl<Frac: $bound> Element for $type<Frac> {
            const ZERO: Self = Self::ZERO;
            const FORMAT: Format = Format::Fixed {
                quantum: -(Frac::I32),
                lowest: <$bits>::MIN as i64,
                highest: <$bits>::MAX as i64,
            };

            fn from_dyadic(value: Dyadic) -> Option<Self> {
                let bits = value.round_to(-(Frac::I32))?;
                <$bits>::try_from(bits).ok().map(Self::from_bits)
            }

            fn to_dyadic(self) -> Option<Dyadic> {
                Some(Dyadic { mantissa: self.to_bits() as i64, exponent: -(Frac::I32) })
            }

            fn from_f32(value: f32) -> Self {
                if value.is_nan() { Self::ZERO } else { Self::saturating_from_num(value) }
            }

            fn to_f32(self) -> f32 {
                self.to_num()
            }
        }
    };
}

fixed_point!(FixedI8, i8, LeEqU8);
fixed_point!(FixedI16, i16, LeEqU16);
fixed_point!(FixedI32, i32, LeEqU32);
fixed_point!(FixedI64, i64, LeEqU64);
fixed_point!(FixedU8, u8, LeEqU8);
fixed_point!(FixedU16, u16, LeEqU16);
fixed_point!(FixedU32, u32, LeEqU32);

#[cfg(test)]
mod tests {
    use fixed::types::{I8F8, I16F16, U0F8};

    use super::*;

    #[test]
    fn values_are_rounded_and_out_of_range_values_give_none() {
        let third = Dyadic { mantissa: 1 << 20, exponent: -22 };
        assert_eq!(I8F8::from_dyadic(third), Some(I8F8::from_num(0.25)));
        assert_eq!(I8F8::from_dyadic(Dyadic { mantissa: 128, exponent: 0 }), None);
        assert_eq!(I8F8::from_dyadic(Dyadic { mantissa: -128, exponent: 0 }), Some(I8F8::MIN));
        assert_eq!(U0F8::from_dyadic(Dyadic { mantissa: -1, exponent: -8 }), None);
        assert_eq!(I16F16::from_f32(f32::NAN), I16F16::ZERO);
        assert_eq!(I16F16::from_f32(1e9), I16F16::MAX);
    }

    #[test]
    fn every_bit_pattern_round_trips() {
        for bits in i16::MIN..=i16::MAX {
            let value = I8F8::from_bits(bits);
            assert_eq!(value.to_dyadic().and_then(I8F8::from_dyadic), Some(value));
        }
    }
}
