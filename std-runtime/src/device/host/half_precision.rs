use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::ops::bridge::host::Buffer;

/// How many numbers are rounded at a time.
const SHARE: usize = 1024;

/// Rounds `values` to `f16` and back: to even where two numbers are equally close, to infinity beyond 65 519.
///
/// In `f32` a product of two rounded numbers is exact, so products are those of a GPU up to the order of sums.
pub fn rounded(values: &[f32]) -> Buffer {
    let mut rounded = Buffer::new(values.len());
    let mut narrow = [f16::ZERO; SHARE];
    for (to, from) in rounded.chunks_mut(SHARE).zip(values.chunks(SHARE)) {
        let narrow = narrow.get_mut(..from.len()).unwrap_or_default();
        narrow.convert_from_f32_slice(from);
        narrow.convert_to_f32_slice(to);
    }
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rounding of `f16` from its definition: to the nearest multiple of the unit in the last place,
    /// `2^-24` at least.
    fn reference(x: f32) -> f32 {
        let x = f64::from(x);
        let unit = 2.0_f64.powf((x.abs().log2().floor() - 10.0).max(-24.0));
        let y = (x / unit).round_ties_even() * unit;
        if y.abs() > 65504.0 { f32::INFINITY.copysign(y as f32) } else { y as f32 }
    }

    #[test]
    fn numbers_of_every_magnitude_are_rounded_by_definition() {
        let mut random = expe_core::internals::Random::new(3);
        for count in [0, 1, 7, SHARE - 1, SHARE, 3 * SHARE + 5] {
            let number = |_| random.normal() * 2.0_f32.powi((random.next_u64() % 46) as i32 - 28);
            let values: Vec<f32> = (0..count).map(number).collect();
            let expected: Vec<f32> = values.iter().map(|x| reference(*x)).collect();
            assert_eq!(rounded(&values)[..], expected[..]);
        }
    }

    #[test]
    fn the_ends_of_the_range_follow_the_format() {
        let values = [0.0, 65519.0, -65520.0, 3e-8, 2.9e-8, f32::INFINITY];
        let expected = [0.0, 65504.0, f32::NEG_INFINITY, 5.960_464_5e-8, 0.0, f32::INFINITY];
        assert_eq!(rounded(&values)[..], expected);
        assert!(rounded(&[f32::NAN])[0].is_nan());
    }
}
