use super::{Exponent, Multiplier};

/// Converts a finite float to units of `2^exponent` without floating-point instructions, rounded half up and
/// saturated.
///
/// ```
/// use expe_core::internals::{Exponent, to_fixed};
/// assert_eq!(to_fixed(-1.25, Exponent(-16)), -81_920);
/// assert_eq!(to_fixed(1e30, Exponent(-16)), i32::MAX);
/// ```
#[inline]
pub const fn to_fixed(value: f32, exponent: Exponent) -> i32 {
    let bits = value.to_bits();
    let sign = bits as i32 >> 31;
    let biased = (bits >> 23 & 0xff) as i32;
    // The float as 31 digits in units of 2^(biased - 157): `shift` digits are truncated, one more is rounded.
    let shift = exponent.0 + 156 - biased;
    if shift > 30 || (shift >= 0 && biased > 0) {
        let digits = ((bits << 8 | 1 << 31) >> 1) as i32;
        let shift = if shift > 31 { 31 } else { shift };
        return ((digits ^ sign).wrapping_sub(sign) >> shift).wrapping_add(1) >> 1;
    }
    to_fixed_slow(value, exponent)
}

#[inline(never)]
const fn to_fixed_slow(value: f32, exponent: Exponent) -> i32 {
    let sign = value.to_bits() as i32 >> 31;
    Multiplier::from_f32(value).apply(sign | 1, exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::Random;

    #[test]
    fn conversion_matches_the_multiplier() {
        let mut random = Random::new(6);
        for _ in 0..300_000 {
            let value = f32::from_bits(random.next_u32());
            if !value.is_finite() {
                continue;
            }
            let exponent = Exponent(random.below(120) as i32 - 60);
            for value in [value, random.normal(), 2f32.powi(random.below(40) as i32 - 20)] {
                let sign = if value.is_sign_negative() { -1 } else { 1 };
                let expected = Multiplier::from_f32(value).apply(sign, exponent);
                assert_eq!(to_fixed(value, exponent), expected, "{value} {exponent:?}");
            }
        }
        assert_eq!((to_fixed(0.0, Exponent(-16)), to_fixed(-0.0, Exponent(-16))), (0, 0));
    }
}
