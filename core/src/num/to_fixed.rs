use super::{Exponent, Multiplier};

/// A finite float in units of `2^exponent`, by its bits alone: rounded half up, saturating.
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
    // 31 digits in units of 2^(biased - 157), which lose one more than these.
    let cut = exponent.0 + 156 - biased;
    if cut > 30 || (cut >= 0 && biased > 0) {
        let digits = ((bits << 8 | 1 << 31) >> 1) as i32;
        let cut = if cut > 31 { 31 } else { cut };
        return ((digits ^ sign).wrapping_sub(sign) >> cut).wrapping_add(1) >> 1;
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
    fn floats_in_fixed_point_are_those_of_the_multiplier() {
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
