use expe_core::format::Model;
use expe_core::model::{Config, DecodeError, Decoder, KvCache, Workspace};
use expe_core::position::{Position, PositionConfig, PositionEncoding, PositionError, Shape};

use super::EngineError;

/// Tokens of a prompt that are computed together.
const CHUNK: usize = 16;

/// The memory of one [`Session`]: key-value cache and workspace for `context` positions.
#[derive(Debug)]
pub struct Buffers {
    cache: Vec<f32>,
    workspace: Vec<f32>,
    context: usize,
}

impl Buffers {
    /// Memory for a model of this shape.
    ///
    /// # Errors
    /// [`EngineError::Memory`] when there is not so much.
    pub fn new(config: &Config, context: usize) -> Result<Self, EngineError> {
        let zeros = |len: usize| {
            // Asked for first, because `vec!` ends the process where there is too little.
            let probe = Vec::<f32>::new().try_reserve_exact(len);
            probe.map_err(|_| EngineError::Memory { positions: context })?;
            Ok::<_, EngineError>(vec![0.0; len])
        };
        let cache = zeros(config.cache_len(context))?;
        Ok(Self { cache, workspace: zeros(config.workspace_len(CHUNK, context))?, context })
    }
}

/// A decoder at work on one sequence.
#[derive(Debug)]
pub struct Session<'m, 'b> {
    decoder: Decoder<'m, Position<'m>>,
    cache: KvCache<'b>,
    workspace: Workspace<'b>,
}

impl<'m, 'b> Session<'m, 'b> {
    /// A session on `model` in `buffers`, with the model's position encoding, or with `position` in
    /// its place (another query cap, another scaling).
    ///
    /// # Errors
    /// [`EngineError::Position`] for an encoding that cannot be built or does not reach the last of
    /// the buffers' positions, [`EngineError::Decode`] for one that does not fit the model.
    pub fn new(
        model: &Model<'m>,
        buffers: &'b mut Buffers,
        position: Option<&PositionConfig>,
    ) -> Result<Self, EngineError> {
        let config = model.config();
        let position = match position {
            None => model.position()?,
            Some(position) => {
                let Config { width, heads, head_width, .. } = *config;
                let shape = Shape { width, heads, head_width };
                Position::new(position, shape, model.position_table())?
            }
        };
        let (length, context) = (position.length(), buffers.context);
        if context as u64 > u64::from(length) {
            let position = u32::try_from(context.saturating_sub(1)).unwrap_or(u32::MAX);
            return Err(PositionError::BeyondLength { position, length }.into());
        }
        let cache = KvCache::new(config, context, &mut buffers.cache).map_err(DecodeError::from)?;
        let workspace = Workspace::new(config, CHUNK, context, &mut buffers.workspace)
            .map_err(DecodeError::from)?;
        Ok(Self { decoder: Decoder::new(model, position)?, cache, workspace })
    }

    /// Positions that are left.
    pub fn room(&self) -> usize {
        self.cache.capacity() - self.cache.len()
    }

    /// Forget everything that was read.
    pub fn clear(&mut self) {
        self.cache.clear();
    }

    /// Read `tokens` at the next positions and give the logits that follow the last one.
    ///
    /// # Errors
    /// [`EngineError::Decode`]; the session is then as it was.
    pub fn read(&mut self, tokens: &[u32]) -> Result<&[f32], EngineError> {
        Ok(self.decoder.forward(tokens, &mut self.cache, &mut self.workspace)?)
    }

    /// Read `tokens` at the next positions; `on_logits` gets the index of each and the logits that
    /// follow it.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_each(
        &mut self,
        tokens: &[u32],
        on_logits: impl FnMut(usize, &[f32]),
    ) -> Result<(), EngineError> {
        Ok(self.decoder.forward_each(tokens, &mut self.cache, &mut self.workspace, on_logits)?)
    }
}

/// The logits that follow each of `tokens`, read from position 0 on: `[tokens.len()][vocab]`.
///
/// # Errors
/// As [`Buffers::new`], [`Session::new`] and [`Session::read`].
pub fn logits(model: &Model<'_>, tokens: &[u32]) -> Result<Vec<Vec<f32>>, EngineError> {
    let mut buffers = Buffers::new(model.config(), tokens.len())?;
    let mut rows = Vec::with_capacity(tokens.len());
    Session::new(model, &mut buffers, None)?
        .read_each(tokens, |_, logits| rows.push(logits.to_vec()))?;
    Ok(rows)
}
