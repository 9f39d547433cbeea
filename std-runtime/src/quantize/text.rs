use expe_core::internals::Random;
use expe_core::{Config, Model};

use crate::engine::{CacheChoice, EngineError, Sampling, generate};

/// Length of a calibration window, in multiples of the training length.
const WINDOW: usize = 4;

/// Text to calibrate a model on.
#[derive(Debug, Clone, Copy)]
pub enum CalibrationText<'t> {
    /// Windows spread evenly over these tokens.
    Tokens(&'t [u32]),
    /// Text that the model generates itself.
    Generated,
}

/// Returns windows of about `count` tokens of calibration text for `model`, whose matrices must be `f32`.
///
/// A window has four times the training length, or the training length if positions are a learned table.
///
/// # Errors
/// [`EngineError`] when the model cannot generate text.
pub fn calibration_windows(
    model: &Model<'_>,
    text: CalibrationText<'_>,
    count: usize,
) -> Result<Vec<Vec<u32>>, EngineError> {
    let Config { context, position, .. } = *model.config();
    let generated;
    let text = match text {
        CalibrationText::Tokens(tokens) => tokens,
        CalibrationText::Generated => {
            generated = generate_tokens(model, count)?;
            &generated
        }
    };
    let length = if position.needs_table() { context } else { WINDOW * context };
    let all: Vec<_> = text.chunks_exact(length.min(text.len()).max(1)).collect();
    let wanted = (count / length).max(1);
    let spread = all.iter().step_by((all.len() / wanted).max(1)).take(wanted);
    Ok(spread.map(|window| window.to_vec()).collect())
}

/// Generates about `count` tokens as several texts, each of which starts with a random token.
fn generate_tokens(model: &Model<'_>, count: usize) -> Result<Vec<u32>, EngineError> {
    let Config { context, vocab, .. } = *model.config();
    let mut text = Vec::new();
    for seed in 0..count.div_ceil(context) as u64 {
        let first = Random::keyed(1, seed).below(vocab as u32);
        text.push(first);
        let sampling = Sampling { temperature: 1.0, top_k: 0, seed };
        generate(model, &[first], context - 1, sampling, CacheChoice::default(), |token| {
            text.push(token);
            true
        })?;
    }
    Ok(text)
}
