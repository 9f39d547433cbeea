use crate::kernels::stored::Bf16;
use crate::num::{Exponent, Multiplier, PreparedMultiplier};

/// The largest quant; −128 is not used.
const LARGEST_QUANT: Multiplier = Multiplier::from_integer(127);

/// Returns the largest magnitude.
#[inline(never)]
pub fn largest(x: &[i32]) -> u32 {
    let more = |most: u32, x: &i32| most.max(x.unsigned_abs());
    if cfg!(expe_mve) {
        // The compiler vectorizes this.
        return x.iter().fold(0, more);
    }
    let fours = x.chunks_exact(4);
    let rest = fours.remainder().iter().fold(0, more);
    fours.fold(rest, |most, four| match four {
        [a, b, c, d] => more(more(more(more(most, a), b), c), d),
        _ => most,
    })
}

/// Returns the number of binary digits of the largest magnitude.
#[inline(never)]
pub fn digits(x: &[i32]) -> u32 {
    let add = |all: u32, x: &i32| all | x.unsigned_abs();
    if cfg!(expe_mve) {
        return u32::BITS - x.iter().fold(0, add).leading_zeros();
    }
    let fours = x.chunks_exact(4);
    let rest = fours.remainder().iter().fold(0, add);
    let all = fours.fold(rest, |all, four| match four {
        [a, b, c, d] => add(add(add(add(all, a), b), c), d),
        _ => all,
    });
    u32::BITS - all.leading_zeros()
}

/// Quantizes a row in units of `unit` to 8-bit integers, `quants_i = round(x_i·unit/s)`, and returns the scale
/// `s = max|x|·unit/127`, rounded down to an `f32`.
///
/// The integer form of [`kernels::quantize`](crate::kernels::quantize).
///
/// ```
/// use expe_core::internals::Multiplier;
/// use expe_core::internals::integer::quantize;
/// let mut quants = [0; 3];
/// let scale = quantize(&[11, -20, 5], Multiplier::new(1, -3), &mut quants);
/// assert_eq!(quants, [70, -127, 32]);
/// assert!((scale - 20.0 / 8.0 / 127.0).abs() < 1e-8);
/// ```
pub fn quantize(x: &[i32], unit: Multiplier, quants: &mut [i8]) -> f32 {
    let most = largest(x);
    let largest = Multiplier::from_integer(most.into());
    let quants_per_unit = LARGEST_QUANT.over(largest);
    quantize_all(x, most, quants_per_unit, quants);
    largest.over(LARGEST_QUANT).times(unit).to_f32()
}

/// Like [`quantize`], with the scale rounded up to a bfloat16, whose bits are returned.
pub fn quantize_bf16(x: &[i32], unit: Multiplier, quants: &mut [i8]) -> u16 {
    let most = largest(x);
    let largest = Multiplier::from_integer(most.into());
    let scale = Bf16::above(largest.over(LARGEST_QUANT).times(unit).to_f32());
    let rounded_scale = Multiplier::from_f32(f32::from_bits(u32::from(scale) << 16));
    quantize_all(x, most, unit.over(rounded_scale), quants);
    scale
}

/// Multiplies `x`, whose elements have a magnitude of at most `largest`, by `quants_per_unit`.
fn quantize_all(x: &[i32], largest: u32, quants_per_unit: Multiplier, quants: &mut [i8]) {
    let quants_per_unit = PreparedMultiplier::new(quants_per_unit, largest, Exponent(0));
    let most = quants_per_unit.apply(largest.min(i32::MAX as u32) as i32);
    if most < 127 || (most == 127 && largest <= i32::MAX as u32) {
        quants_per_unit
            .apply_all(x.iter().copied(), quants.iter_mut(), |place, quant| *place = quant as i8);
    } else {
        quants_per_unit.apply_all(x.iter().copied(), quants.iter_mut(), |place, quant| {
            *place = quant.clamp(-127, 127) as i8;
        });
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::kernels::Stored;
    use crate::num::Random;

    #[test]
    fn quants_are_within_half_a_step() {
        let mut random = Random::new(1);
        for count in 1..200usize {
            let bits = random.below(31);
            let x: Vec<i32> = (0..count).map(|_| random.next_u32() as i32 >> bits).collect();
            let unit = Multiplier::from_f32(0.3);
            let mut quants = vec![0; count];
            let fine = f64::from(quantize(&x, unit, &mut quants));
            let check = |quants: &[i8], scale: f64| {
                for (x, quant) in x.iter().zip(quants) {
                    let exact = f64::from(*x) * f64::from(0.3f32);
                    let error = (f64::from(*quant) * scale - exact).abs();
                    // A quant is off by at most one half, and by 127 times the relative error of the scale.
                    assert!(error <= scale * (0.5 + 127.0 * 2f64.powi(-22)) + 1e-30, "{error}");
                }
            };
            check(&quants, fine);
            let coarse = Bf16::widen(quantize_bf16(&x, unit, &mut quants));
            check(&quants, f64::from(coarse));
            assert!(f64::from(coarse) >= fine && f64::from(coarse) <= fine * 1.0079);
        }
        let mut quants = [5; 2];
        assert_eq!(quantize(&[0, 0], Multiplier::from_integer(1), &mut quants), 0.0);
        assert_eq!(quantize_bf16(&[0, 0], Multiplier::from_integer(1), &mut quants), 0);
        assert_eq!(quants, [0, 0]);
        quantize(&[i32::MIN, i32::MAX], Multiplier::from_integer(1), &mut quants);
        assert_eq!(quants, [-127, 127]);
    }
}
