use std::fmt;
use std::str::FromStr;

use expe_core::internals::Execution;
use expe_core::position::{ModelDims, Position, PositionConfig, PositionEncoding, PositionError};
use expe_core::{
    Attend, CacheFormat, Config, DecodeError, Decoder, F16, F32, I8, KvCache, Logit, Model,
    Sampler, Workspace,
};

use super::EngineError;
use super::memory::Words;

/// Number of prompt tokens that are computed together: large enough that reading the weights takes much less
/// time than computing with them, and small enough that the activations stay in the processor's cache.
const CHUNK: usize = 128;

/// Returns the size of a chunk for a context of `context` positions.
fn chunk(context: usize) -> usize {
    CHUNK.min(context).max(1)
}

/// The element type of a key-value cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheType {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// 8-bit integers with a scale per head.
    I8,
}

impl CacheType {
    /// All types.
    pub const ALL: [Self; 3] = [Self::F32, Self::F16, Self::I8];

    /// Returns the name: `f32`, `f16` or `i8`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::I8 => "i8",
        }
    }

    /// Returns a short description.
    pub const fn description(self) -> &'static str {
        match self {
            Self::F32 => "Single precision",
            Self::F16 => "Half precision",
            Self::I8 => "8-bit integers with a scale per head",
        }
    }

    /// Returns the default for `model`: `i8` for integer arithmetic, which supports no other type; otherwise
    /// `f32`.
    pub fn default_for(model: &Model<'_>) -> Self {
        match model.execution() {
            Execution::Float => Self::F32,
            Execution::Integer => Self::I8,
        }
    }

    /// Returns the types that the arithmetic of `model` supports, starting with the default.
    pub fn supported_by(model: &Model<'_>) -> &'static [Self] {
        match model.execution() {
            Execution::Float => &[Self::F32, Self::F16, Self::I8],
            Execution::Integer => &[Self::I8],
        }
    }

    /// Returns the size of a cache of `context` positions, in words of 32 bits.
    pub fn cache_len(self, config: &Config, context: usize) -> usize {
        match self {
            Self::F32 => config.cache_len::<F32>(context),
            Self::F16 => config.cache_len::<F16>(context),
            Self::I8 => config.cache_len::<I8>(context),
        }
    }
}

impl fmt::Display for CacheType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No cache type has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown cache type `{name}`; known are {}", CacheType::ALL.map(CacheType::name).join(", "))]
pub struct UnknownCacheType {
    /// The unknown name.
    pub name: String,
}

impl FromStr for CacheType {
    type Err = UnknownCacheType;

    fn from_str(name: &str) -> Result<Self, UnknownCacheType> {
        let found = Self::ALL.into_iter().find(|cache| cache.name() == name);
        found.ok_or_else(|| UnknownCacheType { name: name.to_owned() })
    }
}

/// The memory of a [`Session`]: key-value cache and workspace for `context` positions.
#[derive(Debug)]
pub struct Buffers {
    cache_type: CacheType,
    cache: Words,
    workspace: Words,
    context: usize,
    /// Number of first positions that are never overwritten, if the cache is a ring.
    sinks: Option<usize>,
}

impl Buffers {
    /// Allocates the memory for a model with the configuration `config`.
    ///
    /// # Errors
    /// [`EngineError::Memory`] when there is not enough memory.
    pub fn new(
        config: &Config,
        cache_type: CacheType,
        context: usize,
    ) -> Result<Self, EngineError> {
        Self::for_logits(config, cache_type, context, 1)
    }

    /// Allocates memory for [`Session::read_each`] to compute the logits of `tokens` tokens together, which is
    /// much faster than one at a time.
    ///
    /// # Errors
    /// Same as [`new`](Self::new).
    pub fn for_logits(
        config: &Config,
        cache_type: CacheType,
        context: usize,
        tokens: usize,
    ) -> Result<Self, EngineError> {
        let cache = Words::new(cache_type.cache_len(config, context), context)?;
        let logits = tokens.saturating_sub(1).saturating_mul(config.vocab);
        let workspace = config.workspace_len(chunk(context), context).saturating_add(logits);
        let workspace = Words::new(workspace, context)?;
        Ok(Self { cache_type, cache, workspace, context, sinks: None })
    }

    /// Makes the cache a ring: when it is full, new positions overwrite the oldest ones. The first `sinks`
    /// positions are never overwritten.
    #[must_use]
    pub fn with_ring(self, sinks: usize) -> Self {
        Self { sinks: Some(sinks), ..self }
    }
}

/// A decoder for one sequence, in the arithmetic that the model was exported for.
pub struct Session<'b> {
    reader: Box<dyn Reader + 'b>,
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("room", &self.room()).finish_non_exhaustive()
    }
}

impl<'b> Session<'b> {
    /// Creates a session that runs `model` in `buffers`. `position` replaces the position encoding of the model,
    /// for example to change the query cap or the scaling.
    ///
    /// # Errors
    /// [`EngineError::Position`] for an encoding that cannot be built or supports fewer positions than
    /// `buffers`, [`EngineError::Decode`] for one that does not fit the model, [`EngineError::IntegerCache`]
    /// for a floating-point cache and a model in integer arithmetic.
    pub fn new<'m: 'b>(
        model: &Model<'m>,
        buffers: &'b mut Buffers,
        position: Option<&PositionConfig>,
    ) -> Result<Self, EngineError> {
        let config = model.config();
        let position = match position {
            None => model.position()?,
            Some(position) => {
                let Config { width, heads, head_width, .. } = *config;
                let shape = ModelDims { width, heads, head_width };
                Position::new(position, shape, model.position_table())?
            }
        };
        Self::with_encoding(model, buffers, position)
    }

    /// Creates a session that runs `model` with any implementation of [`PositionEncoding`].
    ///
    /// # Errors
    /// Same as [`new`](Self::new).
    pub fn with_encoding<'m: 'b>(
        model: &Model<'m>,
        buffers: &'b mut Buffers,
        position: impl PositionEncoding + 'b,
    ) -> Result<Self, EngineError> {
        let (length, context) = (position.length(), buffers.context);
        if context as u64 > u64::from(length) {
            let position = u32::try_from(context.saturating_sub(1)).unwrap_or(u32::MAX);
            return Err(PositionError::BeyondLength { position, length }.into());
        }
        let reader: Box<dyn Reader + 'b> = match (model.execution(), buffers.cache_type) {
            (Execution::Float, CacheType::F32) => {
                running::<_, _, F32>(Decoder::new(model, position)?, buffers)?
            }
            (Execution::Float, CacheType::F16) => {
                running::<_, _, F16>(Decoder::new(model, position)?, buffers)?
            }
            (Execution::Float, CacheType::I8) => {
                running::<_, _, I8>(Decoder::new(model, position)?, buffers)?
            }
            (Execution::Integer, CacheType::I8) => {
                running::<_, _, I8>(Decoder::integer(model, position)?, buffers)?
            }
            (Execution::Integer, _) => return Err(EngineError::IntegerCache),
        };
        Ok(Self { reader })
    }

    /// Returns the number of free positions. A ring accepts more tokens than that.
    pub fn room(&self) -> usize {
        self.reader.room()
    }

    /// Removes all tokens.
    pub fn clear(&mut self) {
        self.reader.clear();
    }

    /// Reads `tokens` at the next positions and samples the token that follows.
    ///
    /// # Errors
    /// [`EngineError::Decode`], which leaves the session unchanged; [`EngineError::Sample`].
    pub fn next(&mut self, tokens: &[u32], sampler: &mut Sampler) -> Result<u32, EngineError> {
        self.reader.next(tokens, sampler)
    }

    /// Reads `tokens` at the next positions. For each of them, `on_logits` receives its index and the logits of
    /// the token that follows it.
    ///
    /// # Errors
    /// [`EngineError::Decode`], which leaves the session unchanged.
    pub fn read_each(
        &mut self,
        tokens: &[u32],
        mut on_logits: impl FnMut(usize, &[f32]),
    ) -> Result<(), EngineError> {
        self.reader.read_each(tokens, &mut on_logits)
    }
}

/// A session whose arithmetic and cache format are hidden behind a trait object.
trait Reader {
    fn room(&self) -> usize;
    fn clear(&mut self);
    fn next(&mut self, tokens: &[u32], sampler: &mut Sampler) -> Result<u32, EngineError>;
    fn read_each(
        &mut self,
        tokens: &[u32],
        on_logits: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), EngineError>;
}

struct Running<'m, 'b, P, A: Attend<S>, S: CacheFormat> {
    decoder: Decoder<'m, P, A>,
    cache: KvCache<'b, S, A>,
    workspace: Workspace<'b>,
}

fn running<'m: 'b, 'b, P, A, S>(
    decoder: Decoder<'m, P, A>,
    buffers: &'b mut Buffers,
) -> Result<Box<dyn Reader + 'b>, EngineError>
where
    P: PositionEncoding + 'b,
    A: Attend<S> + 'b,
    S: CacheFormat + 'b,
{
    let context = buffers.context;
    let cache = match buffers.sinks {
        None => decoder.cache(context, buffers.cache.get()),
        Some(sinks) => decoder.ring_cache(context, sinks, buffers.cache.get()),
    }
    .map_err(DecodeError::from)?;
    let workspace = decoder
        .workspace(chunk(context), context, buffers.workspace.get())
        .map_err(DecodeError::from)?;
    Ok(Box::new(Running { decoder, cache, workspace }))
}

impl<P, A, S> Reader for Running<'_, '_, P, A, S>
where
    P: PositionEncoding,
    A: Attend<S>,
    S: CacheFormat,
{
    fn room(&self) -> usize {
        self.cache.capacity() - self.cache.len()
    }

    fn clear(&mut self) {
        self.cache.clear();
    }

    fn next(&mut self, tokens: &[u32], sampler: &mut Sampler) -> Result<u32, EngineError> {
        let logits = self.decoder.forward(tokens, &mut self.cache, &mut self.workspace)?;
        Ok(sampler.sample(logits)?)
    }

    fn read_each(
        &mut self,
        tokens: &[u32],
        on_logits: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), EngineError> {
        let mut floats = Vec::new();
        let read = |index, logits: &[A::Scalar]| {
            floats.clear();
            floats.extend(logits.iter().map(|logit| logit.value()));
            on_logits(index, &floats);
        };
        Ok(self.decoder.forward_each(tokens, &mut self.cache, &mut self.workspace, read)?)
    }
}

/// Computes the logits that follow each of `tokens`, which start at position 0: `[tokens.len()][vocab]`.
///
/// # Errors
/// Returns the errors of [`Buffers::new`], [`Session::new`] and [`Session::read_each`].
pub fn logits(model: &Model<'_>, tokens: &[u32]) -> Result<Vec<Vec<f32>>, EngineError> {
    let mut buffers = Buffers::new(model.config(), CacheType::default_for(model), tokens.len())?;
    let mut rows = Vec::with_capacity(tokens.len());
    Session::new(model, &mut buffers, None)?
        .read_each(tokens, |_, logits| rows.push(logits.to_vec()))?;
    Ok(rows)
}
