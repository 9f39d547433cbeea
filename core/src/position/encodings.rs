//! The configurations of all encodings, and the encodings built from them. The program reads its list of encodings from here.

use super::{
    Alibi, Beyond, EmbeddingSite, Expe, Exqpe, Growth, Learned, NoPosition, OverrideBlock,
    PositionEncoding, PositionError, Progression, Rope, Scaling, Sinusoidal, Sites,
};
use crate::num::{Exponent, Multiplier};

/// A choice of encoding with its parameters, as stored in configuration files and model files.
///
/// [`Position::new`](super::Position::new) checks the parameters and builds the encoding.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "name", rename_all = "lowercase", deny_unknown_fields))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PositionConfig {
    /// No position encoding.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::settings::no_settings"))]
    None,
    /// A learned vector per position of the model's context.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::settings::no_settings"))]
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
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::settings::no_settings"))]
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
        /// What happens past the collision-free length.
        #[cfg_attr(feature = "serde", serde(default))]
        beyond: Beyond,
    },
}

/// The names of all encodings, as used in configuration files and on the command line.
pub const SUPPORTED: [&str; 7] =
    ["none", "learned", "sinusoidal", "rope", "alibi", "expe", "exqpe"];

impl PositionConfig {
    /// Returns the encoding's name, one of [`SUPPORTED`].
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

    /// Returns the encoding called `name` with default parameters, for a model of `width` columns; `None` if
    /// `name` is not one of [`SUPPORTED`].
    ///
    /// ```
    /// use expe_core::position::PositionConfig;
    /// let expe = PositionConfig::by_name("expe", 128).unwrap();
    /// assert_eq!((expe.name(), expe.override_block().width), ("expe", 8));
    /// ```
    pub fn by_name(name: &str, width: usize) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "learned" => Self::Learned,
            "sinusoidal" => Self::Sinusoidal { base: BASE },
            "rope" => Self::Rope { base: BASE, scaling: Scaling::None },
            "alibi" => Self::Alibi,
            "expe" => Self::default_expe(width),
            "exqpe" => Self::Exqpe {
                start: START,
                step: STEP,
                width: default_block_width(width).next_multiple_of(DIGITS),
                base: DIGIT_BASE,
                digits: DIGITS,
                growth: Growth::Weighted,
                query_cap: None,
                beyond: Beyond::Refuse,
            },
            _ => return None,
        })
    }

    /// Returns ExPE with default parameters, for a model of `width` columns.
    pub const fn default_expe(width: usize) -> Self {
        Self::Expe {
            start: START,
            step: STEP,
            width: default_block_width(width),
            query_cap: None,
            beyond: Beyond::Refuse,
        }
    }

    /// Returns the sites where the encoding acts.
    pub const fn sites(&self) -> Sites {
        const NONE: Sites = Sites {
            embedding: EmbeddingSite::Untouched,
            block: None,
            rotates: false,
            slopes: false,
        };
        match *self {
            Self::None => NONE,
            Self::Learned => Sites { embedding: EmbeddingSite::Table, ..NONE },
            Self::Sinusoidal { .. } => Sites { embedding: EmbeddingSite::Computed, ..NONE },
            Self::Rope { .. } => Sites { rotates: true, ..NONE },
            Self::Alibi => Sites { slopes: true, ..NONE },
            Self::Expe { width, .. } => {
                Sites { block: Some(OverrideBlock { width: width as usize, digits: 1 }), ..NONE }
            }
            Self::Exqpe { width, digits, .. } => {
                let block = OverrideBlock { width: width as usize, digits: digits as usize };
                Sites { block: Some(block), ..NONE }
            }
        }
    }

    /// Builds ExPE; returns `None` for another encoding.
    ///
    /// For firmware that knows its model: unlike [`Position::new`] it does not link the other encodings.
    ///
    /// # Errors
    /// The same as for [`Expe::new`].
    pub fn build_expe(&self) -> Result<Option<Expe>, PositionError> {
        match *self {
            Self::Expe { start, step, width, query_cap, beyond } => {
                let expe = Expe::new(start, step, width as usize)?.with_beyond(beyond);
                Ok(Some(expe.with_query_cap(query_cap.unwrap_or(u32::MAX))))
            }
            _ => Ok(None),
        }
    }

    /// Returns bounds `(scale, offset)` of the token-embedding site in a model of `width` columns: the magnitude of
    /// an element `x` becomes at most `|x|·scale + offset`, before a row of a learned table is added.
    pub(crate) fn embedding_bound(&self, width: usize) -> (Multiplier, Multiplier) {
        match self {
            Self::Sinusoidal { .. } => {
                (Multiplier::root(width as u64), Multiplier::from_integer(1))
            }
            Self::None
            | Self::Learned
            | Self::Rope { .. }
            | Self::Alibi
            | Self::Expe { .. }
            | Self::Exqpe { .. } => (Multiplier::from_integer(1), Multiplier::ZERO),
        }
    }

    /// Returns the factor by which a rotation can at most enlarge the largest element of a head. The length of a
    /// pair is at most √2 < 3/2 times its larger element.
    pub(crate) fn rotation_bound(&self) -> Multiplier {
        match self {
            Self::Rope { scaling, .. } => {
                Multiplier::from_integer(scaling.magnitude().into()).times(Multiplier::new(3, -30))
            }
            Self::None
            | Self::Learned
            | Self::Sinusoidal { .. }
            | Self::Alibi
            | Self::Expe { .. }
            | Self::Exqpe { .. } => Multiplier::from_integer(1),
        }
    }
}

/// Base of the frequencies of sinusoidal and rotary encodings, as in the papers.
const BASE: f32 = 10_000.0;
/// Start `S` of ExPE and ExQPE.
const START: f32 = 16.0;
/// Step `θ` of ExPE and ExQPE.
const STEP: f32 = 1.0 / 16.0;
/// Base `B` of ExQPE.
const DIGIT_BASE: u32 = 16;
/// Digits `D` of ExQPE.
const DIGITS: u32 = 2;

/// Returns the default number of columns that ExPE and ExQPE override in a model of `width` columns.
///
/// A sixteenth, rounded down to whole 32-bit words of 8-bit elements, so that the remaining columns of a row begin
/// at a word boundary.
const fn default_block_width(width: usize) -> u32 {
    const SHARE: usize = 16;
    const WORD: usize = 4;
    let share = width / SHARE;
    let columns = if share >= WORD {
        share - share % WORD
    } else if share > 0 {
        share
    } else {
        1
    };
    if columns > u32::MAX as usize { u32::MAX } else { columns as u32 }
}

/// The dimensions of a model that encodings depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelDims {
    /// Width `d` of the residual stream.
    pub width: usize,
    /// Query heads.
    pub heads: usize,
    /// Width `d_h` of one head.
    pub head_width: usize,
}

/// Any of the encodings, chosen at run time.
///
/// ```
/// use expe_core::position::{Position, PositionConfig, PositionEncoding, ModelDims};
/// let config = PositionConfig::Alibi;
/// let position = Position::new(&config, ModelDims { width: 8, heads: 2, head_width: 4 }, &[])?;
/// assert_eq!(position.bias(0, 3, 1), -0.125);
/// # Ok::<(), expe_core::position::PositionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "built once per model, and there is no heap to box it on"
)]
pub enum Position<'a> {
    /// See [`NoPosition`].
    None(NoPosition),
    /// See [`Learned`].
    Learned(Learned<'a>),
    /// See [`Sinusoidal`].
    Sinusoidal(Sinusoidal),
    /// See [`Rope`].
    Rope(Rope),
    /// See [`Alibi`].
    Alibi(Alibi),
    /// See [`Expe`].
    Expe(Expe),
    /// See [`Exqpe`].
    Exqpe(Exqpe),
}

impl<'a> Position<'a> {
    /// Checks `config` against the model's dimensions and builds the encoding.
    ///
    /// `table` is the learned table, in rows of `dims.width` elements; only [`Learned`] uses it.
    ///
    /// # Errors
    /// The [`PositionError`] of the encoding's constructor, or [`PositionError::Width`] if more columns are
    /// overridden than the model has.
    pub fn new(
        config: &PositionConfig,
        dims: ModelDims,
        table: &'a [f32],
    ) -> Result<Self, PositionError> {
        let found = config.override_block().width;
        if found > dims.width {
            return Err(PositionError::Width { expected: dims.width, found });
        }
        Ok(match *config {
            PositionConfig::None => Self::None(NoPosition),
            PositionConfig::Learned => Self::Learned(Learned::new(table, dims.width)?),
            PositionConfig::Sinusoidal { base } => {
                Self::Sinusoidal(Sinusoidal::new(base, dims.width)?)
            }
            PositionConfig::Rope { base, scaling } => {
                Self::Rope(Rope::new(base, dims.head_width, scaling)?)
            }
            PositionConfig::Alibi => Self::Alibi(Alibi::new(dims.heads)?),
            PositionConfig::Expe { start, step, width, query_cap, beyond } => {
                let expe = Expe::new(start, step, width as usize)?.with_beyond(beyond);
                Self::Expe(expe.with_query_cap(query_cap.unwrap_or(u32::MAX)))
            }
            PositionConfig::Exqpe {
                start,
                step,
                width,
                base,
                digits,
                growth,
                query_cap,
                beyond,
            } => {
                let exqpe = Exqpe::new(start, step, width as usize, base, digits, growth)?;
                let exqpe = exqpe.with_beyond(beyond);
                Self::Exqpe(exqpe.with_query_cap(query_cap.unwrap_or(u32::MAX)))
            }
        })
    }
}

/// Calls a method of the encoding. A `dyn` reference would be shorter, but its vtable would link floating-point
/// methods into firmware that never calls them.
macro_rules! forward {
    ($position:ident.$method:ident($($argument:ident),*)) => {
        match $position {
            Self::None(encoding) => PositionEncoding::<f32>::$method(encoding, $($argument),*),
            Self::Learned(encoding) => PositionEncoding::<f32>::$method(encoding, $($argument),*),
            Self::Sinusoidal(encoding) => PositionEncoding::<f32>::$method(encoding, $($argument),*),
            Self::Rope(encoding) => PositionEncoding::<f32>::$method(encoding, $($argument),*),
            Self::Alibi(encoding) => PositionEncoding::<f32>::$method(encoding, $($argument),*),
            Self::Expe(encoding) => PositionEncoding::<f32>::$method(encoding, $($argument),*),
            Self::Exqpe(encoding) => PositionEncoding::<f32>::$method(encoding, $($argument),*),
        }
    };
}

impl PositionEncoding for Position<'_> {
    fn length(&self) -> u32 {
        forward!(self.length())
    }

    fn embedding_scale(&self) -> f32 {
        forward!(self.embedding_scale())
    }

    fn embed(&self, n: u32, row: &mut [f32]) -> Result<(), PositionError> {
        forward!(self.embed(n, row))
    }

    fn embed_fixed(
        &self,
        n: u32,
        exponent: Exponent,
        row: &mut [i32],
    ) -> Result<(), PositionError> {
        forward!(self.embed_fixed(n, exponent, row))
    }

    fn override_block(&self) -> OverrideBlock {
        forward!(self.override_block())
    }

    fn progression(&self, digit: usize) -> Progression {
        forward!(self.progression(digit))
    }

    fn key_digits(&self, n: u32, digits: &mut [u32]) -> Result<(), PositionError> {
        forward!(self.key_digits(n, digits))
    }

    fn query_digits(&self, n: u32, digits: &mut [u32]) -> Result<(), PositionError> {
        forward!(self.query_digits(n, digits))
    }

    fn rotates(&self) -> bool {
        forward!(self.rotates())
    }

    fn rotation(&self, n: u32, table: &mut [f32]) -> Result<(), PositionError> {
        forward!(self.rotation(n, table))
    }

    fn rotation_fixed(&self, n: u32, table: &mut [i32]) -> Result<(), PositionError> {
        forward!(self.rotation_fixed(n, table))
    }

    fn slope(&self, head: usize) -> f32 {
        forward!(self.slope(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_builds_the_encoding_of_that_name() {
        for name in SUPPORTED {
            assert_eq!(PositionConfig::by_name(name, 64).map(|config| config.name()), Some(name));
        }
        assert_eq!(PositionConfig::by_name("nope", 64), None);
    }

    #[test]
    fn configurations_act_where_the_built_encodings_do() {
        let dims = ModelDims { width: 64, heads: 4, head_width: 16 };
        for config in SUPPORTED.map(|name| PositionConfig::by_name(name, 64).unwrap()) {
            let built = Position::new(&config, dims, &[0.5; 64]).unwrap();
            assert_eq!(built.override_block(), config.override_block());
            assert_eq!(built.rotates(), config.rotates());
            assert_eq!(built.slope(0) != 0.0, config.has_slopes());
            let mut row = [0.0; 64];
            built.embed(0, &mut row).unwrap();
            let adds = config.needs_table() || config.computes_offsets();
            assert_eq!(row.iter().any(|x| *x != 0.0), adds, "{config:?}");
        }
    }

    #[test]
    fn default_block_is_a_sixteenth_in_whole_words() {
        let widths = [1, 16, 48, 64, 112, 128, 288, 512];
        assert_eq!(widths.map(default_block_width), [1, 1, 3, 4, 4, 8, 16, 32]);
    }
}
