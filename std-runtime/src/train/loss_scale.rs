use serde::{Deserialize, Serialize};

/// The factor that the loss of a step is multiplied by so that its gradients fit the range of `f16`; the
/// optimizer divides by it.
///
/// It is a power of two, so it costs no accuracy in `f32`. A step whose gradients are not all finite updates no
/// parameter and halves the factor. [`PATIENCE`](Self::PATIENCE) consecutive steps with finite gradients double
/// it (Micikevicius et al., "Mixed Precision Training", 2018).
///
/// ```
/// use expe::train::LossScale;
///
/// let mut scale = LossScale::default();
/// assert_eq!(scale.factor(), 65536.0);
/// assert!(scale.overflowed());
/// assert_eq!((scale.factor(), scale.skipped()), (32768.0, 1));
/// (0..LossScale::PATIENCE).for_each(|_| scale.succeeded());
/// assert_eq!(scale.factor(), 65536.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossScale {
    /// Base-2 logarithm of the factor.
    exponent: u8,
    /// Number of consecutive steps with finite gradients since the factor last changed.
    lasting: u32,
    /// Number of steps that updated no parameter.
    skipped: u64,
}

impl Default for LossScale {
    fn default() -> Self {
        Self { exponent: 16, lasting: 0, skipped: 0 }
    }
}

impl LossScale {
    /// Number of consecutive steps with finite gradients after which the factor is doubled.
    pub const PATIENCE: u32 = 1000;

    /// Base-2 logarithm of the largest factor. With 2^24, a gradient of 1 is far outside the range of `f16`.
    const HIGHEST: u8 = 24;

    /// Returns the factor, a power of two from 1 to 2^24.
    pub fn factor(&self) -> f32 {
        // Powers of two up to 2^24 are exact in f32.
        (1_u32 << self.exponent.min(Self::HIGHEST)) as f32
    }

    /// Returns the number of steps so far that updated no parameter.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Records a step with finite gradients.
    pub fn succeeded(&mut self) {
        self.lasting += 1;
        if self.lasting >= Self::PATIENCE {
            self.lasting = 0;
            self.exponent = self.exponent.saturating_add(1).min(Self::HIGHEST);
        }
    }

    /// Records a step whose gradients are not finite, and halves the factor. Returns false if it was 1 already.
    pub fn overflowed(&mut self) -> bool {
        let smaller = self.exponent > 0;
        self.exponent = self.exponent.saturating_sub(1);
        self.lasting = 0;
        self.skipped = self.skipped.saturating_add(1);
        smaller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_stays_between_one_and_the_highest() {
        let mut scale = LossScale::default();
        for expected in (0..16).rev() {
            assert!(scale.overflowed());
            assert_eq!(scale.factor(), (1_u32 << expected) as f32);
        }
        assert!(!scale.overflowed());
        assert_eq!((scale.factor(), scale.skipped()), (1.0, 17));
        (0..100 * LossScale::PATIENCE).for_each(|_| scale.succeeded());
        assert_eq!(scale.factor(), (1_u32 << 24) as f32);
    }

    #[test]
    fn an_overflow_restarts_the_count_of_steps() {
        let mut scale = LossScale::default();
        (1..LossScale::PATIENCE).for_each(|_| scale.succeeded());
        assert!(scale.overflowed());
        (1..LossScale::PATIENCE).for_each(|_| scale.succeeded());
        assert_eq!(scale.factor(), 32768.0);
        scale.succeeded();
        assert_eq!(scale.factor(), 65536.0);
    }
}
