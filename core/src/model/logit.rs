use crate::num::{Exact, Exponent, Math, Multiplier, exp2_minus};

/// A logit of a [`Sampler`](super::Sampler): `f32`, or `i32` in units of `2^-16`, which takes no float
/// instruction.
pub trait Logit: Copy {
    /// A temperature in the form that [`weight`](Self::weight) needs.
    type Temperature: Copy;

    /// Returns a number with the same order as the logits; `None` for NaN and +∞.
    fn order(self) -> Option<u32>;

    /// Returns whether the logit excludes its token: −∞.
    fn rules_out(self) -> bool;

    /// Returns the logit as a float.
    fn value(self) -> f32;

    /// Converts a temperature above 0.
    fn temperature(temperature: f32) -> Self::Temperature;

    /// Returns `exp((self − max) / temperature)` for `self ≤ max`, in units of `2^-30`.
    fn weight(self, max: Self, temperature: Self::Temperature) -> u32;
}

impl Logit for f32 {
    type Temperature = f32;

    fn order(self) -> Option<u32> {
        if self.is_nan() || self == Self::INFINITY {
            return None;
        }
        // Adding 0.0 makes −0.0 equal to 0.0.
        let bits = (self + 0.0).to_bits();
        Some(if bits >> 31 == 0 { bits | 1 << 31 } else { !bits })
    }

    fn rules_out(self) -> bool {
        self == Self::NEG_INFINITY
    }

    fn value(self) -> f32 {
        self
    }

    fn temperature(temperature: f32) -> f32 {
        temperature
    }

    fn weight(self, max: Self, temperature: f32) -> u32 {
        const ONE: f32 = 1_073_741_824.0;
        (Exact::exp((self - max) / temperature) * ONE) as u32
    }
}

impl Logit for i32 {
    /// `log2(e)` divided by the temperature.
    type Temperature = Multiplier;

    fn order(self) -> Option<u32> {
        Some(self as u32 ^ 1 << 31)
    }

    fn rules_out(self) -> bool {
        false
    }

    fn value(self) -> f32 {
        self as f32 / 65_536.0
    }

    fn temperature(temperature: f32) -> Multiplier {
        Multiplier::LOG2_E.over(Multiplier::from_f32(temperature))
    }

    fn weight(self, max: Self, temperature: Multiplier) -> u32 {
        // A difference above 2^31 has weight 0.
        let difference = max.abs_diff(self).min(i32::MAX as u32) as i32;
        exp2_minus(temperature.apply(difference, Exponent(0)).unsigned_abs())
    }
}
