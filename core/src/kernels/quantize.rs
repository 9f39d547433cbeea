//! Quantization of rows to 8-bit integers with one scale per row.

use super::arch;
use super::kernel::Kernel;
use super::stored::{Bf16, Stored};

/// The largest quant. The range is symmetric: −128 is not used.
pub const LARGEST_QUANT: f32 = 127.0;

/// Quantizes a row to 8-bit integers, `quants_i = round(x_i/s)`, and returns the scale `s = max|x|/127`.
///
/// The error of an element is at most `s/2·(1 + 2^-15)`. The scale of a row that contains NaN is NaN.
///
/// ```
/// use expe_core::internals::quantize;
/// let mut quants = [0; 3];
/// assert_eq!(quantize(&[1.0, -2.0, 0.5], &mut quants), 2.0 / 127.0);
/// assert_eq!(quants, [64, -127, 32]);
/// ```
pub fn quantize(x: &[f32], quants: &mut [i8]) -> f32 {
    let scale = largest(x) / LARGEST_QUANT;
    quantize_by(x, scale, quants);
    scale
}

/// Like [`quantize`], with the scale rounded up to a bfloat16, whose bits are returned.
///
/// The scale of a row that is not finite is NaN.
pub fn quantize_bf16(x: &[f32], quants: &mut [i8]) -> u16 {
    const NAN: u16 = 0x7fc0;
    let largest = largest(x);
    let scale = if largest.is_finite() { Bf16::above(largest / LARGEST_QUANT) } else { NAN };
    quantize_by(x, Bf16::widen(scale), quants);
    scale
}

/// Returns the largest magnitude; NaN if `x` contains one.
fn largest(x: &[f32]) -> f32 {
    let mut largest = 0;
    arch::vectorized(Largest(x, &mut largest));
    f32::from_bits(largest)
}

/// Finds the bits of the largest magnitude. Bits are ordered like magnitudes, with NaN above all others.
struct Largest<'a>(&'a [f32], &'a mut u32);

impl Kernel for Largest<'_> {
    #[inline(always)]
    fn run(self) {
        *self.1 = self.0.iter().fold(0, |largest, x| largest.max(x.abs().to_bits()));
    }
}

fn quantize_by(x: &[f32], scale: f32, quants: &mut [i8]) {
    arch::vectorized(QuantizeBy(x, scale, quants));
}

struct QuantizeBy<'a>(&'a [f32], f32, &'a mut [i8]);

impl Kernel for QuantizeBy<'_> {
    #[inline(always)]
    fn run(self) {
        let Self(x, scale, quants) = self;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        for (x, quant) in x.iter().zip(quants) {
            let x = x * inverse;
            // Rounds half away from zero: the conversion truncates.
            let rounded = (x + if x < 0.0 { -0.5 } else { 0.5 }) as i32;
            *quant = rounded.clamp(-127, 127) as i8;
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
    fn quants_are_within_half_a_step() {
        let mut random = Random::new(1);
        for count in 1..100 {
            let x: Vec<f32> = (0..count).map(|_| random.normal() * 10.0).collect();
            let mut quants = vec![0; count];
            let scales = [quantize(&x, &mut quants), Bf16::widen(quantize_bf16(&x, &mut quants))];
            // `quants` belongs to the second scale, which is larger by up to 2^-7.
            assert!(scales[1] >= scales[0] && scales[1] <= scales[0] * 1.0079);
            for index in [1, 0] {
                if index == 0 {
                    quantize(&x, &mut quants);
                }
                let scale = scales[index];
                for (x, quant) in x.iter().zip(&quants) {
                    let error = (f32::from(*quant) * scale - x).abs();
                    assert!(error <= scale * 0.500_02, "{x} {quant} {index} {scale}");
                }
            }
        }
    }

    #[test]
    fn vectorized_quants_are_identical_to_portable_ones() {
        let mut random = Random::new(2);
        for count in 0..100 {
            let mut x: Vec<f32> = (0..count).map(|_| random.normal()).collect();
            for next in [0.0, f32::NAN, f32::NEG_INFINITY] {
                let (mut found, mut portable) = (vec![9; count], vec![9; count]);
                let scale = quantize(&x, &mut found);
                let mut largest = 0;
                Largest(&x, &mut largest).run();
                assert_eq!(scale.to_bits(), (f32::from_bits(largest) / LARGEST_QUANT).to_bits());
                QuantizeBy(&x, scale, &mut portable).run();
                assert_eq!(found, portable);
                if let Some(x) = x.first_mut() {
                    *x = next;
                }
            }
        }
    }

    #[test]
    fn zero_and_nonfinite_rows_have_defined_scales() {
        let mut quants = [9; 2];
        assert_eq!(quantize(&[0.0, -0.0], &mut quants), 0.0);
        assert_eq!(quants, [0, 0]);
        assert!(quantize(&[f32::NAN, 1.0], &mut quants).is_nan());
        assert!(quantize(&[1.0, f32::INFINITY], &mut quants).is_infinite());
        for nonfinite in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(Bf16::widen(quantize_bf16(&[1.0, nonfinite], &mut quants)).is_nan());
        }
    }
}
