//! From numbers to 8-bit integers with one scale.

use super::arch::{self, Kernel};
use super::{Bf16, Stored};

/// The largest 8-bit code that is used: the range is symmetric.
pub const LARGEST_CODE: f32 = 127.0;

/// Quantise a row to 8-bit integers with the scale that its largest magnitude demands:
/// `codes_i = round(x_i/s)`, `s = max|x|/127`. Gives `s`.
///
/// The error of an element is at most `s/2·(1 + 2^-15)`. A row with a NaN gets the scale NaN.
///
/// ```
/// use expe_core::kernels::quantise;
/// let mut codes = [0; 3];
/// assert_eq!(quantise(&[1.0, -2.0, 0.5], &mut codes), 2.0 / 127.0);
/// assert_eq!(codes, [64, -127, 32]);
/// ```
pub fn quantise(x: &[f32], codes: &mut [i8]) -> f32 {
    let scale = largest(x) / LARGEST_CODE;
    quantise_by(x, scale, codes);
    scale
}

/// As [`quantise`], with the scale rounded up to a bfloat16, whose bits it gives; a row that is not
/// finite gets a NaN.
pub fn quantise_coarse(x: &[f32], codes: &mut [i8]) -> u16 {
    const NAN: u16 = 0x7fc0;
    let largest = largest(x);
    let scale = if largest.is_finite() { Bf16::above(largest / LARGEST_CODE) } else { NAN };
    quantise_by(x, Bf16::widen(scale), codes);
    scale
}

/// The largest magnitude; NaN if there is one.
fn largest(x: &[f32]) -> f32 {
    let mut largest = 0;
    arch::vectorised(Largest(x, &mut largest));
    f32::from_bits(largest)
}

/// Magnitudes have the order of their bits, NaN above all.
struct Largest<'a>(&'a [f32], &'a mut u32);

impl Kernel for Largest<'_> {
    #[inline(always)]
    fn run(self) {
        *self.1 = self.0.iter().fold(0, |largest, x| largest.max(x.abs().to_bits()));
    }
}

fn quantise_by(x: &[f32], scale: f32, codes: &mut [i8]) {
    arch::vectorised(QuantiseBy(x, scale, codes));
}

struct QuantiseBy<'a>(&'a [f32], f32, &'a mut [i8]);

impl Kernel for QuantiseBy<'_> {
    #[inline(always)]
    fn run(self) {
        let Self(x, scale, codes) = self;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        for (x, code) in x.iter().zip(codes) {
            let x = x * inverse;
            // Half away from zero; the conversion cuts.
            let rounded = (x + if x < 0.0 { -0.5 } else { 0.5 }) as i32;
            *code = rounded.clamp(-127, 127) as i8;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::num::Random;

    #[test]
    fn codes_are_within_half_a_step() {
        let mut random = Random::new(1);
        for count in 1..100 {
            let x: Vec<f32> = (0..count).map(|_| random.normal() * 10.0).collect();
            let mut codes = vec![0; count];
            let scales = [quantise(&x, &mut codes), Bf16::widen(quantise_coarse(&x, &mut codes))];
            // The codes are those of the second scale, which is up to 2^-7 larger.
            assert!(scales[1] >= scales[0] && scales[1] <= scales[0] * 1.0079);
            for scale in [1, 0].map(|coarse| (coarse, scales[coarse])) {
                if scale.0 == 0 {
                    quantise(&x, &mut codes);
                }
                for (x, code) in x.iter().zip(&codes) {
                    let error = (f32::from(*code) * scale.1 - x).abs();
                    assert!(error <= scale.1 * 0.500_02, "{x} {code} {scale:?}");
                }
            }
        }
    }

    #[test]
    fn every_processor_gives_the_same_codes() {
        let mut random = Random::new(2);
        for count in 0..100 {
            let mut x: Vec<f32> = (0..count).map(|_| random.normal()).collect();
            for odd in [0.0, f32::NAN, f32::NEG_INFINITY] {
                let (mut found, mut portable) = (vec![9; count], vec![9; count]);
                let scale = quantise(&x, &mut found);
                let mut largest = 0;
                Largest(&x, &mut largest).run();
                assert_eq!(scale.to_bits(), (f32::from_bits(largest) / LARGEST_CODE).to_bits());
                QuantiseBy(&x, scale, &mut portable).run();
                assert_eq!(found, portable);
                if let Some(x) = x.first_mut() {
                    *x = odd;
                }
            }
        }
    }

    #[test]
    fn zeros_and_nans_are_no_trouble() {
        let mut codes = [9; 2];
        assert_eq!(quantise(&[0.0, -0.0], &mut codes), 0.0);
        assert_eq!(codes, [0, 0]);
        assert!(quantise(&[f32::NAN, 1.0], &mut codes).is_nan());
        assert!(quantise(&[1.0, f32::INFINITY], &mut codes).is_infinite());
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(Bf16::widen(quantise_coarse(&[1.0, odd], &mut codes)).is_nan());
        }
    }
}
