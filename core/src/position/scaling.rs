use super::PositionError;
use crate::num::{Frequencies, Turn};

/// How the frequencies of [`Rope`](super::Rope) are stretched by `factor` (`s`) to reach past the
/// training length.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Scaling {
    /// Not at all.
    #[default]
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::no_settings"))]
    None,
    /// Position interpolation (arXiv 2306.15595): every frequency divided by `s`.
    Linear {
        /// `s ≥ 1`.
        factor: f32,
    },
    /// NTK-aware: the base becomes `base·s^(d/(d−2))`, which divides the lowest frequency by `s` and
    /// leaves the highest alone.
    Ntk {
        /// `s ≥ 1`.
        factor: f32,
    },
    /// YaRN (arXiv 2309.00071), "NTK by parts": a frequency that turns more than 32 times in the
    /// original context stays, one that turns less than once is divided by `s`, those between are
    /// blended linearly; queries and keys both grow by `0.1·ln s + 1`.
    Yarn {
        /// `s ≥ 1`.
        factor: f32,
        /// The training length that the turns are counted in.
        original: u32,
    },
}

/// Turns in the original context at and below which a frequency is fully interpolated (YaRN's `α`).
const SLOW: f64 = 1.0;
/// Turns in the original context at and above which a frequency stays (YaRN's `β`).
const FAST: f64 = 32.0;

impl Scaling {
    /// The stretch `s`; 1 without scaling.
    pub const fn factor(&self) -> f32 {
        match *self {
            Self::None => 1.0,
            Self::Linear { factor } | Self::Ntk { factor } | Self::Yarn { factor, .. } => factor,
        }
    }

    /// Check the parameters.
    ///
    /// # Errors
    /// [`PositionError::Parameter`] for a factor below 1 or not finite, or an original context of 0.
    pub fn check(&self) -> Result<(), PositionError> {
        let error = |name, value| PositionError::Parameter { name, range: "at least 1", value };
        let factor = self.factor();
        if !(factor.is_finite() && factor >= 1.0) {
            return Err(error("factor", factor));
        }
        match self {
            Self::Yarn { original: 0, .. } => Err(error("original", 0.0)),
            _ => Ok(()),
        }
    }

    /// The frequencies of heads of `width` columns, scaled, as angles per position.
    pub(super) fn frequencies(self, base: f32, width: usize) -> impl Iterator<Item = Turn> {
        let base = f64::from(base);
        let base = match self {
            // A head of two columns has the one frequency 1, which NTK scaling leaves alone.
            Self::Ntk { factor } if width > 2 => {
                let exponent = width as f64 / (width as f64 - 2.0);
                base * libm::pow(f64::from(factor), exponent)
            }
            _ => base,
        };
        Frequencies::new(base, width).map(move |turn| self.stretch(turn))
    }

    fn stretch(self, turn: Turn) -> Turn {
        match self {
            Self::None | Self::Ntk { .. } => turn,
            Self::Linear { factor } => turn.scaled(1.0 / f64::from(factor)),
            Self::Yarn { factor, original } => {
                let turns = turn.turns() * f64::from(original);
                let keep = ((turns - SLOW) / (FAST - SLOW)).clamp(0.0, 1.0);
                turn.scaled(keep + (1.0 - keep) / f64::from(factor))
            }
        }
    }

    /// What the rotated queries and keys are multiplied with: YaRN's `0.1·ln s + 1`, else 1.
    pub(super) fn magnitude(&self) -> f32 {
        match *self {
            Self::Yarn { factor, .. } => 0.1 * libm::logf(factor) + 1.0,
            _ => 1.0,
        }
    }
}
