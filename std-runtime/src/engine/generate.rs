use expe_core::{Model, Sampler};

use super::EngineError;
use super::session::{Buffers, CacheType, Session};

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// 0 takes the most likely token; 1 samples from the model's distribution.
    pub temperature: f32,
    /// Only the so many most likely tokens can be chosen; 0 for all.
    pub top_k: usize,
    /// Seed of the choice.
    pub seed: u64,
}

/// In what memory a text is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheChoice {
    /// How keys and values are stored; by default as [`CacheType::default_for`] the model says.
    pub numbers: Option<CacheType>,
    /// The text is remembered only so far: in a ring of fixed size.
    pub window: Option<Window>,
}

/// A ring of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Positions in all.
    pub positions: usize,
    /// First positions that stay.
    pub sinks: usize,
}

/// Continue `prompt` by up to `count` tokens, each handed to `on_token` as soon as it is chosen;
/// `on_token` ends the generation by returning false.
///
/// # Errors
/// [`EngineError::Position`] when the position encoding does not reach that far,
/// [`EngineError::Memory`] when the memory does not, [`EngineError::Decode`] for an empty prompt or
/// unknown tokens, [`EngineError::Sample`].
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
