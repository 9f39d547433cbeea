use super::{Beyond, Growth, Scaling};

/// Which encoding a model uses, with its parameters: the plain value that configuration files and
/// model files hold. [`Position::new`](super::Position::new) checks it and builds the encoding.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "name", rename_all = "lowercase", deny_unknown_fields))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PositionConfig {
    /// No position at all.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::no_settings"))]
    None,
    /// A learned vector per position, up to the model's context.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::no_settings"))]
    Learned,
    /// Sinusoids added to the token embeddings.
    Sinusoidal {
        /// The longest wavelength is `2π·base`.
        base: f32,
    },
    /// Rotation of query and key heads.
    Rope {
        /// The longest wavelength is close to `2π·base`.
        base: f32,
        /// How frequencies are stretched beyond the training length.
        #[cfg_attr(feature = "serde", serde(default))]
        scaling: Scaling,
    },
    /// A penalty on the score, linear in the distance.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::no_settings"))]
    Alibi,
    /// `p_n = start + step·n` in the first `width` columns of the query and key inputs.
    Expe {
        /// `S`.
        start: f32,
        /// `θ`.
        step: f32,
        /// `l`, the overridden columns.
        width: u32,
        /// Queries use `min(n, query_cap)`; keys stay exact.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        query_cap: Option<u32>,
        /// What happens past the collision-free length.
        #[cfg_attr(feature = "serde", serde(default))]
        beyond: Beyond,
    },
    /// Positions as digits on a grid that the number format holds exactly.
    Exqpe {
        /// `S`.
        start: f32,
        /// `θ`.
        step: f32,
        /// `l`, the overridden columns, a multiple of `digits`.
        width: u32,
        /// `B`.
        base: u32,
        /// `D`.
        digits: u32,
        /// Whether a digit carries its weight.
        #[cfg_attr(feature = "serde", serde(default))]
        growth: Growth,
        /// Queries use `min(n, query_cap)`; keys stay exact.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        query_cap: Option<u32>,
        /// What happens past the last code.
        #[cfg_attr(feature = "serde", serde(default))]
        beyond: Beyond,
    },
}

/// The names of all encodings, as configuration files and the command line spell them.
pub const SUPPORTED: [&str; 7] =
    ["none", "learned", "sinusoidal", "rope", "alibi", "expe", "exqpe"];

impl PositionConfig {
    /// The encoding's name, one of [`SUPPORTED`].
    pub const fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Learned => "learned",
            Self::Sinusoidal { .. } => "sinusoidal",
            Self::Rope { .. } => "rope",
            Self::Alibi => "alibi",
            Self::Expe { .. } => "expe",
            Self::Exqpe { .. } => "exqpe",
        }
    }

    /// The overridden columns and their distinct values, known without building the encoding.
    pub const fn override_block(&self) -> super::OverrideBlock {
        match *self {
            Self::Expe { width, .. } => super::OverrideBlock { width: width as usize, digits: 1 },
            Self::Exqpe { width, digits, .. } => {
                super::OverrideBlock { width: width as usize, digits: digits as usize }
            }
            _ => super::OverrideBlock { width: 0, digits: 0 },
        }
    }
}
