use half::{bf16, f16};

use super::{Dyadic, Element, Format};

macro_rules! half_float {
    ($type:ty, $digits:literal, $quantum:literal, $top:literal) => {
        impl Element for $type {
            const ZERO: Self = <$type>::ZERO;
            const FORMAT: Format = Format::Float { digits: $digits, quantum: $quantum, top: $top };

            fn from_dyadic(value: Dyadic) -> Option<Self> {
                // Rounded here, once: the conversions through `f32` are exact.
                let rounded = f32::from_dyadic(value.round_float($digits, $quantum))?;
                let half = <$type>::from_f32(rounded);
                half.is_finite().then_some(half)
            }

            fn to_dyadic(self) -> Option<Dyadic> {
                <$type>::to_f32(self).to_dyadic()
            }

            fn from_f32(value: f32) -> Self {
                <$type>::from_f32(value)
            }

            fn to_f32(self) -> f32 {
                <$type>::to_f32(self)
            }
        }
    };
}

half_float!(f16, 11, -24, 5);
half_float!(bf16, 8, -133, 120);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_values_match_the_formats() {
        assert_eq!(f16::MAX.to_f32(), 2047.0 * 32.0);
        assert_eq!(bf16::MAX.to_f32(), 255.0 * (2f32).powi(120));
    }

    #[test]
    fn every_finite_bit_pattern_round_trips() {
        for bits in 0..=u16::MAX {
            for back in [
                f16::from_bits(bits).to_dyadic().and_then(f16::from_dyadic).map(f16::to_f32),
                bf16::from_bits(bits).to_dyadic().and_then(bf16::from_dyadic).map(bf16::to_f32),
            ]
            .into_iter()
            .zip([f16::from_bits(bits).to_f32(), bf16::from_bits(bits).to_f32()])
            {
                match back {
                    (Some(back), original) => assert_eq!(back, original),
                    (None, original) => assert!(!original.is_finite()),
                }
            }
        }
    }
}
