use super::PositionError;
use crate::num::{Dyadic, Element, Frequencies, Turn, log2};

/// Base-2 logarithm of the largest factor, in units of `2^-64`.
const LARGEST: u128 = 32 << 64;

/// How the frequencies of [`Rope`](super::Rope) are stretched by `factor` (`s`) to extend the context past the
/// training length.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Scaling {
    /// No scaling.
    #[default]
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::settings::no_settings"))]
    None,
    /// Position interpolation (arXiv 2306.15595): every frequency divided by `s`.
    Linear {
        /// `1 ≤ s ≤ 2^32`.
        factor: f32,
    },
    /// NTK-aware scaling: the base becomes `base·s^(d/(d−2))`, which divides the lowest frequency by `s` and does not
    /// change the highest.
    Ntk {
        /// `1 ≤ s ≤ 2^32`.
        factor: f32,
    },
    /// YaRN (arXiv 2309.00071), "NTK by parts". Frequencies of more than 32 turns in the original context are not
    /// changed, those of less than one turn are divided by `s`, and those between are interpolated linearly. Queries
    /// and keys are multiplied by `0.1·ln s + 1`.
    Yarn {
        /// `1 ≤ s ≤ 2^32`.
        factor: f32,
        /// The training length in which turns are counted.
        original: u32,
    },
}

/// Largest number of turns in the original context of a fully interpolated frequency (YaRN's `α`).
const SLOW: u128 = 1;
/// Smallest number of turns in the original context of an unchanged frequency (YaRN's `β`).
const FAST: u128 = 32;

impl Scaling {
    /// Returns the factor `s`; 1 without scaling.
    pub const fn factor(&self) -> f32 {
        match *self {
            Self::None => 1.0,
            Self::Linear { factor } | Self::Ntk { factor } | Self::Yarn { factor, .. } => factor,
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`PositionError::Parameter`] for a factor outside 1 to `2^32`, or an original context of 0.
    pub fn check(&self) -> Result<(), PositionError> {
        let error = |name, range, value| PositionError::Parameter { name, range, value };
        let factor = self.factor();
        if log2(factor).is_none_or(|log| log > LARGEST) {
            return Err(error("factor", "at least 1 and at most 2^32", factor));
        }
        match self {
            Self::Yarn { original: 0, .. } => Err(error("original", "at least 1", 0.0)),
            _ => Ok(()),
        }
    }

    /// Returns the frequencies of heads of `width` columns before [stretching](Self::stretch); `None` unless
    /// `1 < base < ∞`.
    pub(super) fn frequencies(self, base: f32, width: usize) -> Option<Frequencies> {
        match self {
            // A head of two columns has the single frequency 1, which NTK scaling does not change.
            Self::Ntk { factor } if width > 2 => {
                let base = log2(base).filter(|log| *log > 0)?;
                let factor = log2(factor)?;
                // log2(base·s^(d/(d−2))), where d/(d−2) = 1 + 2/(d−2).
                let rest = (factor * 2).checked_div(width.checked_sub(2)? as u128)?;
                let sum = base + factor + rest;
                Some(Frequencies::from_log2(sum, width))
            }
            _ => Frequencies::new(base, width),
        }
    }

    /// Returns how each frequency is stretched.
    pub(super) fn stretch(self) -> Stretch {
        match (self, self.inverse()) {
            (Self::Linear { .. }, Some(inverse)) => Stretch::Linear { inverse },
            (Self::Yarn { original, .. }, Some(inverse)) => Stretch::Yarn { inverse, original },
            _ => Stretch::None,
        }
    }

    /// Returns `⌊2^64/s⌋`; `None` unless `s > 1`.
    fn inverse(self) -> Option<u64> {
        let Dyadic { mantissa, exponent } = self.factor().to_dyadic()?;
        let power = 64u32.checked_add_signed(exponent.checked_neg()?)?;
        let inverse = 1u128.checked_shl(power)?.checked_div(u128::try_from(mantissa).ok()?)?;
        u64::try_from(inverse).ok()
    }

    /// Returns the factor of rotated queries and keys in units of `2^-29`: `0.1·ln s + 1`, at most 3.22, for YaRN;
    /// otherwise 1.
    pub(crate) fn magnitude(&self) -> u32 {
        /// `0.1·ln 2` in units of `2^-57`.
        const TENTH: u128 = 9_989_303_629_064_575;
        const ONE: u32 = 1 << 29;
        let log = match *self {
            Self::Yarn { factor, .. } => log2(factor).unwrap_or(0),
            _ => 0,
        };
        // From 2^(-64 - 57) to 2^-29, rounded.
        let growth = (log * TENTH + (1 << 91)) >> 92;
        ONE.saturating_add(growth as u32)
    }
}

/// A [`Scaling`] in integers; `inverse` is `2^64/s` for `s > 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stretch {
    None,
    Linear { inverse: u64 },
    Yarn { inverse: u64, original: u32 },
}

impl Stretch {
    /// Returns the stretched frequency.
    pub(super) fn apply(self, turn: Turn) -> Turn {
        match self {
            Self::None => turn,
            Self::Linear { inverse } => turn.times(inverse),
            Self::Yarn { inverse, original } => {
                let turns = u128::from(turn.0) * u128::from(original);
                let above = turns.saturating_sub(SLOW << 64);
                if above >= (FAST - SLOW) << 64 {
                    return turn;
                }
                // The unchanged share, above/31 = above/32 · (1 + 1/31), in units of 2^-64.
                let part = (above >> 5) as u64;
                let keep = part + Turn(part).times(u64::MAX / 31).0;
                turn.times(keep + Turn(!keep).times(inverse).0)
            }
        }
    }
}
