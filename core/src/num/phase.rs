use super::power::{exp2_of_minus, log2, multiply_high};

/// An angle in units of `2^-64` full turns.
///
/// Integer arithmetic wraps exactly at a full turn, so `frequency · n` is exact for every position `n`: the
/// only error is `n` times that of the frequency (see [`Frequencies`]), which is below the resolution of `f32`
/// for all `n < 2^24`. A product of two floats would lose the phase instead: in bfloat16 by more than a radian
/// after 4 000 positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn(pub u64);

/// One radian, `2^64/2π`.
const RADIAN: Turn = Turn(2_935_890_503_282_001_226);

/// `2^64` as a float.
const UNIT: f64 = 18_446_744_073_709_551_616.0;

impl Turn {
    /// Converts an angle in radians, `0 ≤ radians < 2π`.
    pub fn from_radians(radians: f64) -> Self {
        Self((radians / core::f64::consts::TAU * UNIT) as u64)
    }

    /// Returns the angle times `n`: the angle at position `n`, if this is the angle per position.
    pub const fn at(self, n: u32) -> Self {
        Self(self.0.wrapping_mul(n as u64))
    }

    /// Returns the angle times `fraction / 2^64`, rounded down.
    pub const fn times(self, fraction: u64) -> Self {
        Self(multiply_high(self.0, fraction))
    }

    /// Returns the number of full turns as a float.
    pub fn turns(self) -> f64 {
        self.0 as f64 / UNIT
    }

    /// Computes `(sin, cos)` of the angle in integers, in units of `2^-30`, each within 2.2 units.
    ///
    /// The angle is reduced to `t` eighths of a turn, `|t| ≤ 1`, where the Taylor series of `sin(t·π/4)` up to
    /// `t^11` and of `cos(t·π/4)` up to `t^12` have an error below `2^-33` (the first omitted term). The
    /// remaining error is rounding; the test adds it up.
    pub fn sin_cos_fixed(self) -> (i32, i32) {
        const EIGHTH: u64 = 1 << 61;
        // The nearest quarter turn and the remainder, at most an eighth of a turn in magnitude.
        let shifted = self.0.wrapping_add(EIGHTH);
        let rest = (shifted & (u64::MAX >> 2)) as i64 - EIGHTH as i64;
        // t and t² in units of 2^-31.
        let t = shift_rounded(rest, 30);
        let square = shift_rounded(t * t, 31);
        // Horner's rule in units of 2^-32; sums are below 0.79 · 2^32, so the products fit in i64.
        let horner = |sum, term: &i64| *term - shift_rounded(sum * square, 31);
        let odd = SINE.iter().rev().fold(0, horner);
        let even = COSINE.iter().rev().fold(0, horner);
        let sin = shift_rounded(odd * t, 33) as i32;
        let cos = (1 << 30) - shift_rounded(even * square, 33) as i32;
        match shifted >> 62 {
            0 => (sin, cos),
            1 => (cos, -sin),
            2 => (-sin, -cos),
            _ => (-cos, sin),
        }
    }

    /// Computes `(sin, cos)` of the angle, each within `2^-24`: the integers of
    /// [`sin_cos_fixed`](Self::sin_cos_fixed), rounded to `f32`.
    ///
    /// ```
    /// use expe_core::internals::Turn;
    /// let (sin, cos) = Turn::from_radians(0.5).at(1_000_000).sin_cos();
    /// assert!((f64::from(sin) - (500_000.0f64).sin()).abs() < 1.0 / 16_777_216.0);
    /// assert!((f64::from(cos) - (500_000.0f64).cos()).abs() < 1.0 / 16_777_216.0);
    /// ```
    pub fn sin_cos(self) -> (f32, f32) {
        const STEP: f32 = 1.0 / (1 << 30) as f32;
        let (sin, cos) = self.sin_cos_fixed();
        (sin as f32 * STEP, cos as f32 * STEP)
    }
}

/// Magnitudes of the coefficients of the sine: `(π/4)^k / k!` for `k = 1, 3, …, 11`, in units of `2^-32`.
const SINE: [i64; 6] = [term(1), term(3), term(5), term(7), term(9), term(11)];
/// Magnitudes of the coefficients of `1 − cos`: the same for `k = 2, 4, …, 12`.
const COSINE: [i64; 6] = [term(2), term(4), term(6), term(8), term(10), term(12)];

const fn term(k: u32) -> i64 {
    let mut value = (1u64 << 32) as f64;
    let mut factor = 1;
    while factor <= k {
        value *= core::f64::consts::FRAC_PI_4 / factor as f64;
        factor += 1;
    }
    (value + 0.5) as i64
}

/// Returns `value / 2^by` rounded to the nearest integer, ties up, for `1 ≤ by` and
/// `|value| < 2^63 − 2^(by − 1)`.
const fn shift_rounded(value: i64, by: u32) -> i64 {
    (value + (1 << (by - 1))) >> by
}

/// The frequencies `base^(−2i/width)`, `i = 0, 1, …, width/2 − 1`, of the sinusoidal and rotary encodings, in
/// radians per position.
///
/// Each is the previous one times a fixed ratio, computed in 64-bit integers. Frequency `i` has a relative
/// error below `i · 2^-59`, plus a truncation error of `(i + 1) · 2^-64` turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frequencies {
    /// In units of `2^-64`.
    ratio: u64,
    count: usize,
}

impl Frequencies {
    /// Creates the `width / 2` frequencies of `base`; `None` unless `1 < base < ∞`.
    pub fn new(base: f32, width: usize) -> Option<Self> {
        let log2_base = log2(base).filter(|log| *log > 0)?;
        Some(Self::from_log2(log2_base, width))
    }

    /// Creates the frequencies of the base whose base-2 logarithm is `log2_base / 2^64`, below `2^63`.
    pub(crate) fn from_log2(log2_base: u128, width: usize) -> Self {
        let exponent = (log2_base * 2).checked_div(width as u128).unwrap_or(0);
        Self { ratio: exp2_of_minus(exponent), count: width / 2 }
    }

    /// Returns the frequencies, highest first, as the angle per position.
    pub fn iter(self) -> impl Iterator<Item = Turn> {
        core::iter::successors(Some(RADIAN), move |turn| Some(turn.times(self.ratio)))
            .take(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest sum of the rounding errors, in units of 2^-30. Sine: the result (1/2), five steps of
    /// Horner's rule and six coefficients (1/8 each), t (π/16), t² (at most 1/25, because the derivative of
    /// the series with respect to it is below 1/12), the series (2^-7). The errors of the cosine are smaller.
    const ROUNDING: f64 = 0.5 + 11.0 / 8.0 + core::f64::consts::PI / 16.0 + 0.04 + 0.008;

    #[test]
    fn sin_cos_is_within_its_error_bound_everywhere() {
        let scattered = (0..200_000u64).map(|step| step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // The boundaries of the eighths, where the series is least accurate and the quarter changes.
        let seams = (0..8u64).flat_map(|e| (0..64).map(move |d| (e << 61).wrapping_add(d << 28)));
        let below = (0..8u64).flat_map(|e| (1..64).map(move |d| (e << 61).wrapping_sub(d)));
        let mut worst = 0f64;
        for turn in scattered.chain(seams).chain(below).map(Turn) {
            let angle = turn.turns() * core::f64::consts::TAU;
            let (sin, cos) = turn.sin_cos_fixed();
            for (fixed, exact) in [(sin, angle.sin()), (cos, angle.cos())] {
                assert!(fixed.abs() <= 1 << 30, "{fixed} at {turn:?}");
                worst = worst.max((f64::from(fixed) - exact * 2f64.powi(30)).abs());
            }
            let (s, c) = turn.sin_cos();
            // Half an ulp of f32 below 1 is 2^-25.
            let bound = 2f64.powi(-25) + ROUNDING * 2f64.powi(-30);
            assert!(bound < 2f64.powi(-24));
            assert!((f64::from(s) - angle.sin()).abs() <= bound, "sin at {turn:?}");
            assert!((f64::from(c) - angle.cos()).abs() <= bound, "cos at {turn:?}");
        }
        // The f64 reference itself has an error of about 2^-50.
        assert!(worst < ROUNDING, "{worst}");
    }

    #[test]
    fn quarters_of_a_turn_are_exact() {
        let one = 1 << 30;
        let corners = [(0, one), (one, 0), (0, -one), (-one, 0)];
        for (quarter, expected) in (0u64..).zip(corners) {
            assert_eq!(Turn(quarter << 62).sin_cos_fixed(), expected);
        }
    }

    #[test]
    fn phase_is_exact_at_large_positions() {
        // Most of the error is that of the f64 reference: power, quotient and product are rounded by 2^-53
        // each. The frequency adds i·2^-59.
        for (i, turn) in Frequencies::new(10_000.0, 64).unwrap().iter().enumerate() {
            let frequency = 10_000f64.powf(-(i as f64) / 32.0);
            for n in [1u32, 1_000, 65_536, 1 << 24] {
                let reference = (frequency / core::f64::consts::TAU * f64::from(n)).fract();
                let mut error = (turn.at(n).turns() - reference).abs();
                error = error.min(1.0 - error);
                let bound = frequency * f64::from(n) * 4.0 * (0.5f64).powi(53)
                    + (i as f64 + 2.0) * f64::from(n) * 0.5f64.powi(59);
                assert!(error <= bound, "i={i} n={n}: {error} > {bound}");
            }
        }
    }

    #[test]
    fn there_are_width_over_two_frequencies() {
        assert_eq!(Frequencies::new(10_000.0, 7).unwrap().iter().count(), 3);
        assert_eq!(Frequencies::new(10_000.0, 0).unwrap().iter().count(), 0);
        for base in [1.0, 0.5, -3.0, f32::NAN, f32::INFINITY] {
            assert_eq!(Frequencies::new(base, 8), None);
        }
    }
}
