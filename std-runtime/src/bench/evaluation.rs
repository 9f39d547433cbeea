use std::time::{Duration, Instant};

use expe_core::Model;
use expe_core::internals::Random;

use super::{BenchError, Candidate};
use crate::engine::CacheType;
use crate::eval::{CoreScorer, EvalError, Scorer};

/// Scores a text of random tokens in windows of one length, as an evaluation of a model file does: each window
/// starts with an empty cache and is read in chunks, on all processors.
#[derive(Debug)]
pub struct Evaluation<'m> {
    scorer: CoreScorer<'m>,
    text: Vec<u32>,
    length: usize,
}

impl<'m> Evaluation<'m> {
    /// Creates an evaluation of `model` on a text of `longest` tokens per processor, in windows of `length`.
    /// `length` must divide `longest`, so that every length predicts the same number of tokens.
    ///
    /// # Errors
    /// [`BenchError::Short`] when the position encoding supports fewer positions.
    pub fn new(model: &'m Model<'m>, length: usize, longest: usize) -> Result<Self, BenchError> {
        let config = model.config();
        let scorer = CoreScorer::new(model, &config.position);
        let supported_length = scorer.supported_length()?;
        if length as u64 > supported_length {
            return Err(BenchError::Short {
                position: config.position.name().to_owned(),
                length: u32::try_from(supported_length).unwrap_or(u32::MAX),
                needed: length,
            });
        }
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let vocab = u32::try_from(config.vocab).unwrap_or(u32::MAX);
        let mut random = Random::new(1);
        let text = (0..=processors * longest).map(|_| random.below(vocab)).collect();
        Ok(Self { scorer, text, length })
    }

    /// Returns the number of tokens that one unit of work predicts.
    pub fn tokens(&self) -> usize {
        (self.text.len() - 1) / self.length.max(1) * self.length
    }

    /// Returns the size in bytes of each thread's key-value cache for windows of `length`.
    pub fn cache_bytes(model: &Model<'_>, length: usize) -> u64 {
        let words = CacheType::default_for(model).cache_len(model.config(), length);
        (words * size_of::<u32>()) as u64
    }
}

impl Candidate for Evaluation<'_> {
    fn run(&mut self) -> Result<Duration, BenchError> {
        let count = self.tokens() / self.length.max(1);
        let windows: Vec<&[u32]> = (0..count)
            .filter_map(|window| self.text.get(window * self.length..=(window + 1) * self.length))
            .collect();
        let started = Instant::now();
        let scores = self.scorer.score(&windows)?;
        let time = started.elapsed();
        debug_assert_eq!(scores.len(), self.tokens());
        Ok(time)
    }
}

impl From<EvalError> for BenchError {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Engine(error) => error.into(),
            other => Self::Evaluation(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::random_model;
    use super::*;
    use crate::config::{position, preset};
    use crate::export::Scheme;

    #[test]
    fn every_length_predicts_the_same_tokens() {
        let mut config = preset("quick").unwrap().model;
        config.position = position("learned", config.width).unwrap(); // 32 positions
        let file = random_model(&config, Scheme::F32).unwrap();
        let model = file.model().unwrap();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        for length in [8, 16, 32] {
            let mut evaluation = Evaluation::new(&model, length, 32).unwrap();
            assert_eq!(evaluation.tokens(), processors * 32);
            assert!(evaluation.run().unwrap() > Duration::ZERO);
        }
        let short = Evaluation::new(&model, 64, 64).map(drop);
        assert!(matches!(short, Err(BenchError::Short { length: 32, needed: 64, .. })));
        // Keys and values of two layers, 48 wide.
        assert_eq!(Evaluation::cache_bytes(&model, 10), 10 * 2 * 2 * 48 * 4);
    }
}
