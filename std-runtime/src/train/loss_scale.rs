use serde::{Deserialize, Serialize};

/// The factor that the loss of a step is multiplied by, so that its gradients are neither too small nor
/// too large for `f16`; the optimiser divides them by it again.
///
/// It is a power of two, so that in `f32` it costs no accuracy. It is halved after a step with a
/// gradient that is not finite, which then changes no parameter, and doubled after
/// [`PATIENCE`](Self::PATIENCE) steps in a row without one (Micikevicius et al., "Mixed Precision
/// Training", 2018).
///
/// ```
/// use expe::train::LossScale;
///
/// let mut scale = LossScale::default();
/// assert_eq!(scale.factor(), 65536.0);
/// assert!(scale.overflowed());
/// assert_eq!((scale.factor(), scale.skipped()), (32768.0, 1));
/// (0..LossScale::PATIENCE).for_each(|_| scale.went_well());
/// assert_eq!(scale.factor(), 65536.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossScale {
    /// The factor's logarithm to base 2.
    exponent: u8,
    /// Steps in a row that went well.
    lasting: u32,
    /// Steps that changed nothing.
    skipped: u64,
}

impl Default for LossScale {
    fn default() -> Self {
        Self { exponent: 16, lasting: 0, skipped: 0 }
    }
}

impl LossScale {
    /// Steps that must go well before the factor is doubled.
    pub const PATIENCE: u32 = 1000;

    /// Beyond `2^24` a gradient of 1 would be far outside `f16` whatever happens.
    const HIGHEST: u8 = 24;

    /// The factor, a power of two between 1 and 2^24.
    pub fn factor(&self) -> f32 {
        // At most 2^24: every such power is an f32.
        (1_u32 << self.exponent.min(Self::HIGHEST)) as f32
    }

    /// Steps that changed no parameter so far.
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// A step ended with finite gradients.
    pub fn went_well(&mut self) {
        self.lasting += 1;
        if self.lasting >= Self::PATIENCE {
            self.lasting = 0;
            self.exponent = self.exponent.saturating_add(1).min(Self::HIGHEST);
        }
    }

    /// A step ended with gradients that are not finite. Whether a smaller factor can help: false once
    /// it is 1.
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
    fn stays_between_one_and_its_highest() {
        let mut scale = LossScale::default();
        for expected in (0..16).rev() {
            assert!(scale.overflowed());
            assert_eq!(scale.factor(), (1_u32 << expected) as f32);
        }
        assert!(!scale.overflowed());
        assert_eq!((scale.factor(), scale.skipped()), (1.0, 17));
        (0..100 * LossScale::PATIENCE).for_each(|_| scale.went_well());
        assert_eq!(scale.factor(), (1_u32 << 24) as f32);
    }

    #[test]
    fn patience_begins_anew_after_an_overflow() {
        let mut scale = LossScale::default();
        (1..LossScale::PATIENCE).for_each(|_| scale.went_well());
        assert!(scale.overflowed());
        (1..LossScale::PATIENCE).for_each(|_| scale.went_well());
        assert_eq!(scale.factor(), 32768.0);
        scale.went_well();
        assert_eq!(scale.factor(), 65536.0);
    }
}
