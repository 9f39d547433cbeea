/// Computes `e^x` without branches or tables, so that a loop over it vectorizes.
///
/// The error is at most 1 unit in the last place, or the smallest subnormal for a subnormal result. NaN gives
/// NaN.
///
/// Reduces `x = n·ln 2 + r` with `|r| ≤ ln 2/2` and computes `e^r` by a polynomial of degree 7 (Cephes,
/// `expf`). Products and sums are rounded separately, so the result is bit-identical on every processor.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// `e^89` exceeds the largest `f32`; `e^-104` is less than half the smallest one.
    const LARGEST: f32 = 89.0;
    const SMALLEST: f32 = -104.0;
    /// `1.5·2^23`: adding it rounds to an integer.
    const WHOLE: f32 = 12_582_912.0;
    /// Two parts whose sum is `ln 2`; the first has so few bits that its product with an integer below 2^8 is
    /// exact.
    const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];
    let x = if x > LARGEST { LARGEST } else { x };
    let x = if x < SMALLEST { SMALLEST } else { x };
    let shifted = x * core::f32::consts::LOG2_E + WHOLE;
    let n = shifted - WHOLE;
    let [high, low] = LN_2;
    let r = (x - n * high) - n * low;
    let sum = (1.987_569_1e-4 * r + 1.398_199_9e-3) * r + 8.333_452e-3;
    let sum = ((sum * r + 4.166_579_6e-2) * r + 1.666_666_5e-1) * r + 0.5;
    let power = sum * (r * r) + r + 1.0;
    // 2^n as a product of two factors, each of which is a normal number.
    let n = shifted.to_bits().wrapping_sub(WHOLE.to_bits()) as i32;
    let half = n >> 1;
    let exp2 = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    power * exp2(half) * exp2(n.wrapping_sub(half))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the error in units in the last place, or in smallest subnormals.
    fn error(x: f32) -> f64 {
        let exact = f64::from(x).exp();
        let size = exact.clamp(f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX));
        let ulp = (size.log2().floor() - 23.0).exp2();
        (f64::from(exp(x)) - exact).abs() / ulp
    }

    #[test]
    fn error_is_at_most_one_ulp() {
        // Every 997th f32 of either sign from 2^-30 to the ends of the range.
        for sign in [0, 1 << 31] {
            for bits in (2f32.powi(-30).to_bits()..104f32.to_bits()).step_by(997) {
                let x = f32::from_bits(bits | sign);
                if (-103.9..88.722).contains(&x) {
                    let error = error(x);
                    assert!(error <= 1.0, "{x}: {error}");
                }
            }
        }
    }

    #[test]
    fn ends_of_the_range_are_exact() {
        for (x, expected) in [
            (0.0, 1.0),
            (-0.0, 1.0),
            (89.0, f32::INFINITY),
            (f32::MAX, f32::INFINITY),
            (f32::INFINITY, f32::INFINITY),
            (-104.0, 0.0),
            (f32::MIN, 0.0),
            (f32::NEG_INFINITY, 0.0),
        ] {
            assert_eq!(exp(x), expected, "{x}");
        }
        assert!(exp(f32::NAN).is_nan());
    }
}
