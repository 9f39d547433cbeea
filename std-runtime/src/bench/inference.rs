use std::time::{Duration, Instant};

use expe_core::internals::{Random, TensorKind};
use expe_core::position::{ModelDims, Position, PositionEncoding};
use expe_core::{Model, Sampler};

use super::{BenchError, Candidate};
use crate::engine::{Buffers, CacheType, Session};

/// The task of a model file in a benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Reads a prompt and computes its last logits.
    Prefill {
        /// Tokens of the prompt.
        tokens: usize,
    },
    /// Generates tokens one at a time by greedy decoding.
    Decode {
        /// Preceding tokens. Reading them is not timed.
        past: usize,
        /// Tokens to generate.
        tokens: usize,
    },
}

impl Task {
    /// Returns the number of tokens in a unit of work.
    pub const fn tokens(self) -> usize {
        match self {
            Self::Prefill { tokens } | Self::Decode { tokens, .. } => tokens,
        }
    }

    /// Returns the number of positions that the task needs.
    pub const fn positions(self) -> usize {
        match self {
            Self::Prefill { tokens } => tokens,
            // The last generated token is not fed back, but without a prompt an initial token is read.
            Self::Decode { past, tokens } => past.saturating_add(tokens),
        }
    }

    /// Returns the average number of keys that a query attends to.
    pub fn mean_keys(self) -> f64 {
        match self {
            Self::Prefill { tokens } => (tokens as f64 + 1.0) / 2.0,
            Self::Decode { past, tokens } => past as f64 + (tokens as f64 + 1.0) / 2.0,
        }
    }
}

/// Performs a [`Task`] with a model file on one thread, in the session that also generates text.
#[derive(Debug)]
pub struct Inference<'b> {
    session: Session<'b>,
    task: Task,
    prompt: Vec<u32>,
}

impl<'b> Inference<'b> {
    /// Allocates memory for `task`.
    ///
    /// # Errors
    /// [`BenchError::Short`] when the position encoding supports fewer positions, [`BenchError::Engine`] when
    /// there is not enough memory.
    pub fn buffers(model: &Model<'_>, task: Task) -> Result<Buffers, BenchError> {
        let config = model.config();
        let shape =
            ModelDims { width: config.width, heads: config.heads, head_width: config.head_width };
        let position = Position::new(&config.position, shape, model.position_table())?;
        let (length, needed) = (position.length(), task.positions());
        if needed as u64 > u64::from(length) {
            let position = config.position.name().to_owned();
            return Err(BenchError::Short { position, length, needed });
        }
        Ok(Buffers::new(config, CacheType::default_for(model), needed)?)
    }

    /// Creates a candidate that performs `task` with `model` in memory from [`buffers`](Self::buffers).
    ///
    /// # Errors
    /// [`BenchError::Engine`] if the session cannot be created.
    pub fn new<'m: 'b>(
        model: &Model<'m>,
        buffers: &'b mut Buffers,
        task: Task,
    ) -> Result<Self, BenchError> {
        let vocab = u32::try_from(model.config().vocab).unwrap_or(u32::MAX);
        let len = match task {
            Task::Prefill { tokens } => tokens,
            Task::Decode { past, .. } => past,
        };
        let mut random = Random::new(0);
        let prompt = (0..len).map(|_| random.below(vocab)).collect();
        Ok(Self { session: Session::new(model, buffers, None)?, task, prompt })
    }
}

impl Inference<'_> {
    /// Allocates the [`buffers`](Self::buffers) of every model.
    ///
    /// # Errors
    /// Same as [`buffers`](Self::buffers).
    pub fn all_buffers(models: &[Model<'_>], task: Task) -> Result<Vec<Buffers>, BenchError> {
        models.iter().map(|model| Self::buffers(model, task)).collect()
    }
}

/// Returns a candidate for `task` for every model, in memory from [`Inference::all_buffers`].
///
/// # Errors
/// Same as [`Inference::new`].
pub fn candidates<'m: 'b, 'b>(
    models: &[Model<'m>],
    buffers: &'b mut [Buffers],
    task: Task,
) -> Result<Vec<Box<dyn Candidate + 'b>>, BenchError> {
    let mut candidates: Vec<Box<dyn Candidate + 'b>> = Vec::new();
    for (model, buffers) in models.iter().zip(buffers) {
        candidates.push(Box::new(Inference::new(model, buffers, task)?));
    }
    Ok(candidates)
}

impl Candidate for Inference<'_> {
    fn run(&mut self) -> Result<Duration, BenchError> {
        let mut sampler = Sampler::greedy();
        self.session.clear();
        match self.task {
            Task::Prefill { .. } => {
                let started = Instant::now();
                self.session.next(&self.prompt, &mut sampler)?;
                Ok(started.elapsed())
            }
            Task::Decode { tokens, .. } => {
                let mut token = 0;
                if !self.prompt.is_empty() {
                    token = self.session.next(&self.prompt, &mut sampler)?;
                }
                let started = Instant::now();
                for _ in 0..tokens {
                    token = self.session.next(&[token], &mut sampler)?;
                }
                Ok(started.elapsed())
            }
        }
    }
}

/// Returns the number of bytes that decoding one token reads when it attends to `keys` keys.
///
/// Every tensor is read once, as well as the cached keys and values. Of a position table, and of an embedding that
/// is not tied to the head, only one row is read.
pub fn read_bytes(model: &Model<'_>, keys: f64) -> f64 {
    let config = model.config();
    let weights: f64 = model
        .tensors()
        .map(|tensor| {
            let one_row = match tensor.shape.id.kind {
                TensorKind::Embed => !config.tied_head,
                TensorKind::Position => true,
                _ => false,
            };
            let rows = if one_row { tensor.shape.rows.max(1) } else { 1 };
            tensor.bytes.len() as f64 / rows as f64
        })
        .sum();
    // The difference between two lengths excludes the part of the cache that does not depend on the length.
    let cache_type = CacheType::default_for(model);
    let words = cache_type.cache_len(config, 200) - cache_type.cache_len(config, 100);
    weights + keys * (words * size_of::<u32>()) as f64 / 100.0
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::super::{Plan, alternate, random_model};
    use super::*;
    use crate::config::{position, preset};
    use crate::export::Scheme;

    #[test]
    fn tasks_run_up_to_the_last_position() {
        let mut config = preset("quick").unwrap().model;
        config.position = position("learned", config.width).unwrap();
        let file = random_model(&config, Scheme::F32).unwrap();
        let model = file.model().unwrap();
        for (task, fits) in [
            (Task::Prefill { tokens: 32 }, true),
            (Task::Prefill { tokens: 33 }, false),
            (Task::Decode { past: 0, tokens: 32 }, true),
            (Task::Decode { past: 30, tokens: 2 }, true),
            (Task::Decode { past: 30, tokens: 3 }, false),
        ] {
            let buffers = Inference::buffers(&model, task);
            assert_eq!(buffers.is_ok(), fits, "{task:?}");
            if let Ok(mut buffers) = buffers {
                let mut all: Vec<Box<dyn Candidate>> =
                    vec![Box::new(Inference::new(&model, &mut buffers, task).unwrap())];
                let plan = Plan { rounds: 2, time: Duration::ZERO };
                let times = alternate(&mut all, plan, &AtomicBool::new(false)).unwrap();
                assert_eq!(times[0].0.len(), 2);
            }
        }
    }

    #[test]
    fn read_bytes_match_a_manual_count() {
        let mut config = preset("quick").unwrap().model; // 48 wide, 2 layers, hidden 192, vocabulary 256
        config.position = position("rope", config.width).unwrap();
        let layer = 2 * 48 + 4 * 48 * 48 + 2 * 48 * 192;
        let weights = 256 * 48 + 48 + 2 * layer;
        let file = random_model(&config, Scheme::F32).unwrap();
        assert_eq!(read_bytes(&file.model().unwrap(), 0.0), 4.0 * weights as f64);
        // Keys and values of two layers.
        let cache = read_bytes(&file.model().unwrap(), 10.0) - 4.0 * weights as f64;
        assert_eq!(cache, 10.0 * 2.0 * 2.0 * 48.0 * 4.0);
        config.tied_head = false;
        config.position = position("learned", config.width).unwrap();
        let file = random_model(&config, Scheme::F32).unwrap();
        assert_eq!(read_bytes(&file.model().unwrap(), 0.0), 4.0 * (weights + 2 * 48) as f64);
    }
}
