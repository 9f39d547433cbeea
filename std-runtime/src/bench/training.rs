use std::time::{Duration, Instant};

use expe_core::internals::Random;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::{BenchError, Candidate};
use crate::config::RunConfig;
use crate::model::ModelError;
use crate::ops::Kernels;
use crate::train::{State, Stepper, TrainingDevice, Usage, Workers};

/// Returns uniformly distributed random tokens, at least enough for one window of the configuration.
pub fn random_tokens(config: &RunConfig) -> Vec<u32> {
    let mut random = Random::new(config.train.seed);
    let vocab = u32::try_from(config.model.vocab).unwrap_or(u32::MAX);
    let count = config.model.context.saturating_add(1).max(1 << 16);
    (0..count).map(|_| random.below(vocab)).collect()
}

/// Runs training steps without files and validation.
#[derive(Debug)]
pub struct Training<'a, D: Kernels> {
    stepper: Stepper<'a, D>,
    /// The pool that training runs in, which determines its number of threads.
    pool: ThreadPool,
}

impl<'a, D: TrainingDevice> Training<'a, D> {
    /// Creates a model on `device` to train on windows of `tokens`. `threads` applies to devices that use CPU threads.
    ///
    /// # Errors
    /// [`BenchError::Config`] for a configuration that is not valid, [`BenchError::Train`] when it does not fit
    /// into memory, [`BenchError::Threads`] when a thread cannot be started.
    pub fn new(
        config: &'a RunConfig,
        tokens: &'a [u32],
        threads: usize,
        device: &D,
    ) -> Result<Self, BenchError> {
        config.check()?;
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|source| BenchError::Threads { threads, source })?;
        if let Some(free) = device.free_memory() {
            pool.install(Usage::for_device::<D>).check(config, free)?;
        }
        let mut stepper = Stepper::new(config, tokens, State::new(config, device)?)?;
        let workers = pool.install(|| Workers::new(D::SHARDS));
        stepper.workers = workers.map_err(|source| BenchError::Threads { threads, source })?;
        Ok(Self { stepper, pool })
    }

    /// Returns the state that steps update.
    pub fn state(&self) -> &State<D> {
        &self.stepper.state
    }

    /// Returns the number of threads.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs a step and returns its loss.
    ///
    /// # Errors
    /// [`BenchError::Train`] if the step fails.
    pub fn step(&mut self) -> Result<f64, BenchError> {
        let Self { stepper, pool } = self;
        Ok(D::step_in(pool, stepper)?.loss)
    }
}

impl<D: TrainingDevice> Candidate for Training<'_, D> {
    fn run(&mut self) -> Result<Duration, BenchError> {
        let started = Instant::now();
        self.step()?;
        let device = self.stepper.state.model.device();
        device.try_synchronize().map_err(ModelError::device)?;
        Ok(started.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::preset;
    use crate::device::Cpu;

    /// The loss stays near `ln 256`, because random tokens are equally likely, as an initial model almost predicts.
    #[test]
    fn steps_update_the_parameters() {
        let config = preset("quick").unwrap();
        let tokens = random_tokens(&config);
        let mut training = Training::new(&config, &tokens, 2, &Cpu::default()).unwrap();
        let mut before = training.state().model.weights.to_tensors();
        for step in 1..4 {
            let loss = training.step().unwrap();
            assert!((loss - 256f64.ln()).abs() < 0.1, "{loss}");
            assert_eq!(training.state().step, step);
            let after = training.state().model.weights.to_tensors();
            assert!(before != after);
            before = after;
        }
    }

    #[test]
    fn absurd_sizes_are_rejected() {
        let refused = |config: &_| {
            Training::new(config, &[0; 100], 1, &Cpu::default()).map(drop).unwrap_err()
        };
        let mut config = preset("quick").unwrap();
        config.train.batch = 1_000_000;
        assert!(matches!(refused(&config), BenchError::Train(_)));
        config.model.vocab = 257;
        assert!(matches!(refused(&config), BenchError::Config(_)));
    }
}
