use expe_core::format::Model;
use expe_core::model::Sampler;

use super::EngineError;
use super::session::{Buffers, CacheNumbers, Session};

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
    mut on_token: impl FnMut(u32) -> bool,
) -> Result<(), EngineError> {
    let mut sampler = Sampler::new(sampling.temperature, sampling.top_k, sampling.seed)?;
    // The last token that is chosen is not read.
    let context = prompt.len().saturating_add(count.saturating_sub(1));
    let mut buffers = Buffers::new(model.config(), CacheNumbers::of(model), context)?;
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
