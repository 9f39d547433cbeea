use expe_core::{Model, Sampler};

use super::EngineError;
use super::session::{Buffers, CacheType, Session};

/// How the next token is sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Temperature: 0 always selects the most likely token, 1 samples from the predicted distribution.
    pub temperature: f32,
    /// Number of most likely tokens to sample from; 0 for all.
    pub top_k: usize,
    /// Seed of the sampler.
    pub seed: u64,
}

/// The key-value cache to generate text with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheChoice {
    /// How keys and values are stored; [`CacheType::default_for`] the model if `None`.
    pub cache_type: Option<CacheType>,
    /// Keeps only a window of the text, in memory of fixed size.
    pub window: Option<Window>,
}

/// A window of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Number of positions.
    pub positions: usize,
    /// Number of positions at the start of the text that always stay in the window.
    pub sinks: usize,
}

/// Continues `prompt` by up to `count` tokens. `on_token` receives each token as soon as it is sampled, and
/// returns false to stop.
///
/// # Errors
/// [`EngineError::Position`] when the position encoding supports fewer positions, [`EngineError::Memory`] when
/// there is not enough memory, [`EngineError::Decode`] for an empty prompt or unknown tokens,
/// [`EngineError::Sample`] for sampling parameters out of range.
pub fn generate(
    model: &Model<'_>,
    prompt: &[u32],
    count: usize,
    sampling: Sampling,
    cache: CacheChoice,
    mut on_token: impl FnMut(u32) -> bool,
) -> Result<(), EngineError> {
    let mut sampler = Sampler::new(sampling.temperature, sampling.top_k, sampling.seed)?;
    // The last sampled token is not fed back.
    let context = prompt.len().saturating_add(count.saturating_sub(1));
    let cache_type = cache.cache_type.unwrap_or(CacheType::default_for(model));
    let mut buffers = match cache.window {
        None => Buffers::new(model.config(), cache_type, context)?,
        Some(Window { positions, sinks }) => {
            Buffers::new(model.config(), cache_type, positions)?.with_ring(sinks)
        }
    };
    let mut session = Session::new(model, &mut buffers, None)?;
    let mut token = session.next(prompt, &mut sampler)?;
    for remaining in (0..count).rev() {
        if !on_token(token) || remaining == 0 {
            break;
        }
        token = session.next(&[token], &mut sampler)?;
    }
    Ok(())
}
