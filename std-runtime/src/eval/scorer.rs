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

/// Maximum number of attention scores per head in a dfdx batch, on devices that materialize the scores.
const BATCH_SCORES: usize = 1 << 20;
/// Maximum number of tokens in a dfdx batch.
const BATCH_TOKENS: usize = 4096;
/// Number of tokens whose logits the core engine computes together.
const LOGITS: usize = 25;

/// A model that predicts tokens.
pub trait Scorer {
    /// Returns the number of positions that the model supports.
    ///
    /// # Errors
    /// [`EvalError`] for an encoding that cannot be built.
    fn supported_length(&self) -> Result<u64, EvalError>;

    /// Returns the log-probability, in nats, of the token that follows each position of `windows`: the last
    /// `length` tokens of a window of `length + 1` tokens. All windows have the same length; the result contains
    /// `length` values per window.
    ///
    /// # Errors
    /// [`EvalError`] when the model does not accept the tokens or the length.
    fn score(&self, windows: &[&[u32]]) -> Result<Vec<f64>, EvalError>;
}

fn supported_length(
    config: &Config,
    position: &PositionConfig,
    table: &[f32],
) -> Result<u64, EngineError> {
    let Config { width, heads, head_width, .. } = *config;
    let shape = ModelDims { width, heads, head_width };
    Ok(Position::new(position, shape, table)?.length().into())
}

/// A dfdx model, as it was trained or with another position encoding.
#[derive(Debug)]
pub struct DfdxScorer<'m, D: Backend> {
    model: &'m Transformer<D>,
    config: Config,
}

impl<'m, D: Backend> DfdxScorer<'m, D> {
    /// Creates a scorer for `model` with the position encoding `position`: that of the model, or one that differs
    /// in its query cap or scaling.
    pub fn new(model: &'m Transformer<D>, position: &PositionConfig) -> Self {
        let config = Config { position: *position, ..*model.config() };
        Self { model, config }
    }
}

impl<D: Backend> Scorer for DfdxScorer<'_, D> {
    fn supported_length(&self) -> Result<u64, EvalError> {
        // Only the size of a learned table matters here, not its content.
        let rows = if self.config.position.needs_table() { self.config.context } else { 0 };
        let table = vec![0.0; rows * self.config.width];
        Ok(supported_length(&self.config, &self.config.position, &table)?)
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

/// Returns the number of windows of `length` tokens in a dfdx batch. `dense` says whether operations materialize
/// all attention scores of a window.
fn batch(length: usize, dense: bool) -> usize {
    let tokens = BATCH_TOKENS / length.max(1);
    let scores = BATCH_SCORES / (length * length).max(1);
    let windows = if dense { tokens.min(scores) } else { tokens };
    windows.max(1)
}

/// A model in the core engine, run on all processors.
#[derive(Debug)]
pub struct CoreScorer<'m> {
    model: &'m Model<'m>,
    position: PositionConfig,
    cache: CacheType,
}

impl<'m> CoreScorer<'m> {
    /// Creates a scorer for `model` with the position encoding `position`.
    pub fn new(model: &'m Model<'m>, position: &PositionConfig) -> Self {
        Self { model, position: *position, cache: CacheType::default_for(model) }
    }

    /// Returns the scorer with another type of the key-value cache.
    #[must_use]
    pub fn with_cache(self, cache: CacheType) -> Self {
        Self { cache, ..self }
    }

    fn score_windows(&self, windows: &[&[u32]]) -> Result<Vec<f64>, EngineError> {
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
    fn supported_length(&self) -> Result<u64, EvalError> {
        Ok(supported_length(self.model.config(), &self.position, self.model.position_table())?)
    }

    fn score(&self, windows: &[&[u32]]) -> Result<Vec<f64>, EvalError> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = windows.len().div_ceil(threads).max(1);
        thread::scope(|scope| {
            let threads: Vec<_> = windows
                .chunks(share)
                .map(|windows| scope.spawn(move || self.score_windows(windows)))
                .collect();
            let mut scored = Vec::new();
            for thread in threads {
                scored.extend(thread.join().map_err(|_| EvalError::Worker)??);
            }
            Ok(scored)
        })
    }
}

/// Returns `log softmax(logits)[target]`, or −∞ for a target outside the vocabulary.
///
/// Each exponential has a relative error below 2^-23, so the result has an absolute error below 2^-23. The sum is
/// accumulated in `f64`, in eight partial sums over `i mod 8`.
fn log_probability(logits: &[f32], target: usize) -> f64 {
    const LANES: usize = 8;
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0f64; LANES];
    let blocks = logits.chunks_exact(LANES);
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
    fn batches_are_limited_by_scores_only_if_scores_are_materialized() {
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
