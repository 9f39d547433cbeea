use super::{Dyadic, Element, Format};

macro_rules! integer {
    ($type:ty) => {
        impl Element for $type {
            const ZERO: Self = 0;
            const FORMAT: Format = Format::Fixed {
                quantum: 0,
                lowest: <$type>::MIN as i64,
                highest: <$type>::MAX as i64,
            };

            fn from_dyadic(value: Dyadic) -> Option<Self> {
                value.round_to(0)?.try_into().ok()
            }

            fn to_dyadic(self) -> Option<Dyadic> {
                Some(Dyadic { mantissa: self.into(), exponent: 0 })
            }

            fn from_f32(value: f32) -> Self {
                libm::rintf(value) as Self
            }

            fn to_f32(self) -> f32 {
                self.into()
            }
        }
    };
}

integer!(i8);
integer!(i16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_even_and_saturates() {
        let values = [(2.5, 2), (3.5, 4), (-2.5, -2), (-0.4, 0), (127.6, 127), (-1e9, -128)];
        for (value, nearest) in values {
            assert_eq!(<i8 as Element>::from_f32(value), nearest);
        }
        assert_eq!(<i16 as Element>::from_f32(f32::NAN), 0);
        assert_eq!(i8::from_dyadic(Dyadic { mantissa: 255, exponent: -1 }), None);
        assert_eq!(i8::from_dyadic(Dyadic { mantissa: 253, exponent: -1 }), Some(126));
        assert_eq!(i8::from_dyadic(Dyadic { mantissa: -257, exponent: -1 }), Some(-128));
    }

    #[test]
    fn every_integer_round_trips() {
        for value in i16::MIN..=i16::MAX {
            assert_eq!(value.to_dyadic().and_then(i16::from_dyadic), Some(value));
            assert_eq!(<i16 as Element>::from_f32(value.to_f32()), value);
        }
    }
}
