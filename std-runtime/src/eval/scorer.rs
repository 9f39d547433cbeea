use std::thread;

use expe_core::internals::Math;
use expe_core::num::Exact;
use expe_core::position::{ModelDims, Position, PositionConfig, PositionEncoding};
use expe_core::{Config, Model};

use super::EvalError;
use crate::engine::{Buffers, CacheType, EngineError, Session};
use crate::model::{Sites, Transformer};
use crate::ops::Backend;
use crate::train::split;

/// Scores in attention that a dfdx batch holds at a time, per head, where they are held at all.
const BATCH_SCORES: usize = 1 << 20;
/// Tokens that a dfdx batch holds at a time.
const BATCH_TOKENS: usize = 4096;
/// Tokens whose logits the core engine computes together.
const LOGITS: usize = 25;

/// Something that predicts tokens.
pub trait Scorer {
    /// Positions that it can tell apart.
    ///
    /// # Errors
    /// [`EvalError`] for an encoding that cannot be built.
    fn reach(&self) -> Result<u64, EvalError>;

    /// The log-probabilities, in nats, of the tokens that follow each position of `windows`: of a
    /// window of `length + 1` tokens, its last `length`. All windows are equally long; the result is
    /// one row of `length` numbers per window.
    ///
    /// # Errors
    /// [`EvalError`] when the model refuses the tokens or the length.
    fn score(&self, windows: &[&[u32]]) -> Result<Vec<f64>, EvalError>;
}

fn reach(config: &Config, position: &PositionConfig, table: &[f32]) -> Result<u64, EngineError> {
    let Config { width, heads, head_width, .. } = *config;
    let shape = ModelDims { width, heads, head_width };
    Ok(Position::new(position, shape, table)?.length().into())
}

/// The dfdx model, as it was trained or with another position encoding.
#[derive(Debug)]
pub struct DfdxScorer<'m, D: Backend> {
    model: &'m Transformer<D>,
    config: Config,
}

impl<'m, D: Backend> DfdxScorer<'m, D> {
    /// Score with `model`, its position encoding replaced by `position` (another query cap, another
    /// scaling; the same one for the model as it is).
    pub fn new(model: &'m Transformer<D>, position: &PositionConfig) -> Self {
        let config = Config { position: *position, ..*model.config() };
        Self { model, config }
    }
}

impl<D: Backend> Scorer for DfdxScorer<'_, D> {
    fn reach(&self) -> Result<u64, EvalError> {
        // Only the size of a learned table matters here.
        let rows = if self.config.position.needs_table() { self.config.context } else { 0 };
        let table = vec![0.0; rows * self.config.width];
        Ok(reach(&self.config, &self.config.position, &table)?)
    }

    fn score(&self, windows: &[&[u32]]) -> Result<Vec<f64>, EvalError> {
        let Some(length) = windows.first().map(|window| window.len().saturating_sub(1)) else {
            return Ok(Vec::new());
        };
        let sites = Sites::new(&self.config, length, self.model.device())?;
        let mut scored = Vec::new();
        for windows in windows.chunks(batch(length, D::DENSE)) {
            let (inputs, targets) = split(windows);
            let scores = self.model.log_probabilities(&inputs, &targets, &sites)?;
            scored.extend(scores.into_iter().map(f64::from));
        }
        Ok(scored)
    }
}

/// Windows of `length` tokens that a dfdx batch holds; `dense` where operations hold all scores of one at
/// once.
fn batch(length: usize, dense: bool) -> usize {
    let tokens = BATCH_TOKENS / length.max(1);
    let scores = BATCH_SCORES / (length * length).max(1);
    let windows = if dense { tokens.min(scores) } else { tokens };
    windows.max(1)
}

/// The core engine, on as many threads as there are processors.
#[derive(Debug)]
pub struct CoreScorer<'m> {
    model: &'m Model<'m>,
    position: PositionConfig,
    cache: CacheType,
}

impl<'m> CoreScorer<'m> {
    /// Score with `model`, its position encoding replaced by `position`.
    pub fn new(model: &'m Model<'m>, position: &PositionConfig) -> Self {
        Self { model, position: *position, cache: CacheType::default_for(model) }
    }

    /// The same with keys and values stored as `cache`.
    #[must_use]
    pub fn with_cache(self, cache: CacheType) -> Self {
        Self { cache, ..self }
    }

    fn score_part(&self, windows: &[&[u32]]) -> Result<Vec<f64>, EngineError> {
        let length = windows.first().map_or(0, |window| window.len().saturating_sub(1));
        let mut buffers = Buffers::for_logits(self.model.config(), self.cache, length, LOGITS)?;
        let mut session = Session::new(self.model, &mut buffers, Some(&self.position))?;
        let mut scored = Vec::with_capacity(windows.len() * length);
        for window in windows {
            let (Some((_, inputs)), Some((_, targets))) =
                (window.split_last(), window.split_first())
            else {
                continue;
            };
            session.clear();
            session.read_each(inputs, |index, logits| {
                scored.push(log_probability(logits, targets[index] as usize));
            })?;
        }
        Ok(scored)
    }
}

impl Scorer for CoreScorer<'_> {
    fn reach(&self) -> Result<u64, EvalError> {
        Ok(reach(self.model.config(), &self.position, self.model.position_table())?)
    }

    fn score(&self, windows: &[&[u32]]) -> Result<Vec<f64>, EvalError> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = windows.len().div_ceil(threads).max(1);
        thread::scope(|scope| {
            let parts: Vec<_> = windows
                .chunks(share)
                .map(|part| scope.spawn(move || self.score_part(part)))
                .collect();
            let mut scored = Vec::new();
            for part in parts {
                scored.extend(part.join().map_err(|_| EvalError::Worker)??);
            }
            Ok(scored)
        })
    }
}

/// `log softmax(logits)[target]`; −∞ for a target outside the vocabulary.
///
/// Each exponential is within 2^-23 of itself, so the result within 2^-23; the sum is in `f64`, in eight
/// parts over `i mod 8`.
fn log_probability(logits: &[f32], target: usize) -> f64 {
    const PARTS: usize = 8;
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0f64; PARTS];
    let blocks = logits.chunks_exact(PARTS);
    let rest = blocks.remainder();
    let mut add = |logits: &[f32]| {
        for (sum, logit) in sums.iter_mut().zip(logits) {
            *sum += f64::from(Exact::exp(logit - largest));
        }
    };
    blocks.for_each(&mut add);
    add(rest);
    let logit = logits.get(target).copied().unwrap_or(f32::NEG_INFINITY);
    f64::from(logit - largest) - sums.iter().sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_limit_a_batch_only_where_they_are_held() {
        for (length, dense, windows) in [
            (128, true, 32),
            (1024, true, 1),
            (1024, false, 4),
            (1 << 14, false, 1),
            (0, true, 4096),
        ] {
            assert_eq!(batch(length, dense), windows, "{length} {dense}");
        }
    }
}
