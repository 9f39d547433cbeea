use expe_core::{Model, Sampler};

use super::EngineError;
use super::session::{Buffers, CacheType, Session};

/// How the next token is sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 always takes the most likely token, 1 samples from the predicted distribution.
    pub temperature: f32,
    /// Number of most likely tokens to sample from; 0 for all.
    pub top_k: usize,
    /// Seed of the sampler.
    pub seed: u64,
}

/// The key-value cache of a generated text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheChoice {
    /// How keys and values are stored; by default as [`CacheType::default_for`] the model says.
    pub numbers: Option<CacheType>,
    /// Keeps a window of the text only, in memory of fixed size.
    pub window: Option<Window>,
}

/// A window of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Number of positions.
    pub positions: usize,
    /// Number of first positions that stay in the window.
    pub sinks: usize,
}

/// Continues `prompt` by up to `count` tokens. `on_token` receives each as soon as it is sampled, and ends the
/// generation by returning false.
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
    // The last token that is chosen is not read.
    let context = prompt.len().saturating_add(count.saturating_sub(1));
    let numbers = cache.numbers.unwrap_or(CacheType::default_for(model));
    let mut buffers = match cache.window {
        None => Buffers::new(model.config(), numbers, context)?,
        Some(Window { positions, sinks }) => {
            Buffers::new(model.config(), numbers, positions)?.with_ring(sinks)
        }
    };
    let mut session = Session::new(model, &mut buffers, None)?;
    let mut token = session.next(prompt, &mut sampler)?;
    for left in (0..count).rev() {
        if !on_token(token) || left == 0 {
            break;
        }
        token = session.next(&[token], &mut sampler)?;
    }
    Ok(())
}
