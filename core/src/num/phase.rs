/// An angle as a fraction of a full turn, in units of `2^-64` turns.
///
/// Integer arithmetic wraps where the angle does, so `frequency · n` is exact for every position `n`:
/// the error is `n` times that of the frequency alone (see [`Frequencies`]), below `f32`'s resolution
/// for all `n < 2^24`. (The product of two floats loses the phase instead: in bfloat16 by more than
/// a radian after 4 000 positions.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn(pub u64);

/// `2^64` as a float.
const UNIT: f64 = 18_446_744_073_709_551_616.0;

impl Turn {
    /// The angle of `radians` per position, for `0 ≤ radians < 2π`.
    pub fn from_radians(radians: f64) -> Self {
        Self((radians / core::f64::consts::TAU * UNIT) as u64)
    }

    /// The angle after `n` positions.
    pub const fn at(self, n: u32) -> Self {
        Self(self.0.wrapping_mul(n as u64))
    }

    /// The angle times `factor`, for `0 ≤ factor ≤ 1`, rounded down.
    pub fn scaled(self, factor: f64) -> Self {
        if factor >= 1.0 { self } else { Self(multiply_high(self.0, (factor * UNIT) as u64)) }
    }

    /// Full turns as a float.
    pub fn turns(self) -> f64 {
        self.0 as f64 / UNIT
    }

    /// `(sin, cos)` of the angle, each within `2^-23`.
    ///
    /// ```
    /// use expe_core::num::Turn;
    /// let (sin, cos) = Turn::from_radians(0.5).at(1_000_000).sin_cos();
    /// assert!((f64::from(sin) - (500_000.0f64).sin()).abs() < 1.0 / 8_388_608.0);
    /// assert!((f64::from(cos) - (500_000.0f64).cos()).abs() < 1.0 / 8_388_608.0);
    /// ```
    pub fn sin_cos(self) -> (f32, f32) {
        const EIGHTH: u64 = 1 << 61;
        const RADIANS: f32 = (core::f64::consts::TAU / UNIT) as f32;
        // The nearest quarter turn, and what is left: at most an eighth of a turn either way.
        let shifted = self.0.wrapping_add(EIGHTH);
        let quarter = shifted >> 62;
        let rest = (shifted & (u64::MAX >> 2)) as i64 - EIGHTH as i64;
        let angle = rest as f32 * RADIANS;
        let (sin, cos) = (libm::sinf(angle), libm::cosf(angle));
        match quarter {
            0 => (sin, cos),
            1 => (cos, -sin),
            2 => (-sin, -cos),
            _ => (-cos, sin),
        }
    }
}

const fn multiply_high(a: u64, b: u64) -> u64 {
    ((a as u128 * b as u128) >> 64) as u64
}

/// The frequencies `base^(−2i/width)`, `i = 0, 1, …, width/2 − 1`, in radians per position, as the
/// angle that one position adds; shared by the sinusoidal and the rotary encoding.
///
/// Each is the last one times a fixed ratio, in 64-bit integers: the relative error of the `i`-th is
/// below `(i + 1) · 2^-52`, and `i + 1` times `2^-64` turns for what is cut off.
#[derive(Debug, Clone)]
pub struct Frequencies {
    next: Turn,
    ratio: f64,
    left: usize,
}

impl Frequencies {
    /// The `width / 2` frequencies of `base`, highest first.
    pub fn new(base: f64, width: usize) -> Self {
        let ratio = libm::pow(base, -2.0 / width.max(1) as f64);
        Self { next: Turn::from_radians(1.0), ratio, left: width / 2 }
    }
}

impl Iterator for Frequencies {
    type Item = Turn;

    fn next(&mut self) -> Option<Turn> {
        self.left = self.left.checked_sub(1)?;
        let turn = self.next;
        self.next = turn.scaled(self.ratio);
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn sin_cos_meets_its_bound_all_around() {
        for step in 0..100_000u64 {
            let turn = Turn(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let (sin, cos) = turn.sin_cos();
            let angle = turn.turns() * core::f64::consts::TAU;
            // 2^-23: half an ulp of the reduced angle (2^-25 relative), of RADIANS, and of the result.
            assert!((f64::from(sin) - angle.sin()).abs() <= 1.2e-7, "sin at {turn:?}");
            assert!((f64::from(cos) - angle.cos()).abs() <= 1.2e-7, "cos at {turn:?}");
        }
    }

    #[test]
    fn phase_stays_exact_at_long_positions() {
        // Reference: the product reduced in integers, 1 rad = 2^64/2π units; n·2^-65 turns allowed,
        // plus the f64 rounding of the frequency (2^-53 relative).
        for (i, turn) in Frequencies::new(10_000.0, 64).enumerate() {
            let frequency = 10_000f64.powf(-(i as f64) / 32.0);
            for n in [1u32, 1_000, 65_536, 1 << 24] {
                let reference = (frequency / core::f64::consts::TAU * f64::from(n)).fract();
                let mut error = (turn.at(n).turns() - reference).abs();
                error = error.min(1.0 - error);
                let bound = frequency * f64::from(n) * (i as f64 + 4.0) * (0.5f64).powi(52) + 1e-15;
                assert!(error <= bound, "i={i} n={n}: {error} > {bound}");
            }
        }
    }

    #[test]
    fn yields_half_the_width() {
        assert_eq!(Frequencies::new(10_000.0, 7).collect::<Vec<_>>().len(), 3);
        assert_eq!(Frequencies::new(10_000.0, 0).count(), 0);
    }
}
