use super::{
    Alibi, Expe, Exqpe, Learned, NoPosition, OverrideBlock, PositionConfig, PositionEncoding,
    PositionError, Progression, Rope, Sinusoidal,
};

/// What an encoding needs to know of the model.
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
    /// Check `config` against the model's `shape` and build the encoding; `table` is the learned
    /// table (rows of `dims.width`), used by [`Learned`] alone.
    ///
    /// # Errors
    /// The [`PositionError`] of the encoding's constructor; [`PositionError::Width`] when more
    /// columns are overridden than the model has.
    pub fn new(
        config: &PositionConfig,
        dims: ModelDims,
        table: &'a [f32],
    ) -> Result<Self, PositionError> {
        let columns = config.override_block();
        if columns.width > dims.width {
            return Err(PositionError::Width { expected: dims.width, found: columns.width });
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
            PositionConfig::Expe { start, step, query_cap, beyond, .. } => {
                let expe = Expe::new(start, step, columns.width)?.with_beyond(beyond);
                Self::Expe(expe.with_query_cap(query_cap.unwrap_or(u32::MAX)))
            }
            PositionConfig::Exqpe {
                start, step, base, digits, growth, query_cap, beyond, ..
            } => {
                let exqpe = Exqpe::new(start, step, columns.width, base, digits, growth)?;
                let exqpe = exqpe.with_beyond(beyond);
                Self::Exqpe(exqpe.with_query_cap(query_cap.unwrap_or(u32::MAX)))
            }
        })
    }
}

/// Call a method of the encoding that is held. A `dyn` reference would do it in a line, but its table
/// of methods would link those in floats into firmware that calls none of them.
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

    fn embed_fixed(&self, n: u32, exponent: i32, row: &mut [i32]) -> Result<(), PositionError> {
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
