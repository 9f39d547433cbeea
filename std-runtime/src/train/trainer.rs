use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dfdx::tensor::{Gradients, OwnedTape};
use dfdx::tensor_ops::{Backward, TryMul};
use expe_core::num::Random;

use super::folder::{
    CONFIG_FILE, METRICS_FILE, MODEL_FILE, TOKENIZER_FILE, TRAINER_FILE, read, same_config, write,
};
use super::optimizer::{norm, sum};
use super::validation::split;
use super::{
    Best, Ending, Metrics, Outcome, Progress, RunLock, State, TrainError, Workers, learning_rate,
    memory, validation_loss,
};
use crate::atomic::remove_left_over;
use crate::config::RunConfig;
use crate::data::{Dataset, TrainWindows, consecutive_windows};
use crate::device::Backend;
use crate::model::{ModelError, Sites};
use crate::ops::{self, Dropout};

/// Train the model of `config` on `data` in the run folder `folder`, or go on with it.
///
/// With `resume`, a checkpoint in the folder is continued, and a folder without one is started.
/// `stop` is looked at after every step; once it is set, everything is saved and the outcome says
/// [`Ending::Interrupted`]. `progress` is called after every step.
///
/// The result is a function of `config`, `data` and the machine alone, bit for bit: not of the
/// number of threads, nor of how often training was stopped and resumed. Nothing is shared between
/// two runs of one process.
///
/// # Errors
/// A [`TrainError`]; the last checkpoint is intact after any of them.
pub fn run<D: Backend>(
    device: &D,
    config: &RunConfig,
    data: &Dataset,
    folder: &Path,
    resume: bool,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome, TrainError> {
    config.check()?;
    let windows = TrainWindows::new(data.train(), config.model.context, config.train.seed)?;
    // Too short a text must not be found out at the first validation.
    consecutive_windows(data.validation(), config.model.context).map(drop)?;
    memory::check(config, D::PARTS, rayon::current_num_threads())?;
    let lock = RunLock::acquire(folder)?;
    for name in [CONFIG_FILE, METRICS_FILE, MODEL_FILE, TOKENIZER_FILE, TRAINER_FILE] {
        remove_left_over(folder, name)?;
    }
    let fingerprint = data.fingerprint();
    let has_checkpoint = folder.join(TRAINER_FILE).exists();
    if has_checkpoint && !resume {
        return Err(TrainError::Exists { folder: folder.into() });
    }
    let state = if has_checkpoint {
        same_config(folder, config)?;
        let state = State::load(folder, config, device, fingerprint)?;
        state.save_model(folder)?;
        state
    } else {
        State::new(config, device)?
    };
    let metrics = read(&folder.join(METRICS_FILE)).unwrap_or_default();
    let mut trainer = Trainer {
        config,
        data,
        windows,
        sites: state.model.sites(config.model.context)?,
        metrics: Metrics::up_to(&String::from_utf8_lossy(&metrics), state.step),
        workers: Workers::new(D::PARTS).map_err(io::Error::other)?,
        state,
        folder,
        fingerprint,
        clock: Clock::default(),
    };
    if !has_checkpoint {
        write(folder, CONFIG_FILE, config.to_toml()?.as_bytes())?;
        data.tokenizer().save(&folder.join(TOKENIZER_FILE))?;
    }
    let outcome = trainer.train(stop, progress);
    drop(lock);
    outcome
}

struct Trainer<'a, D: Backend> {
    config: &'a RunConfig,
    data: &'a Dataset,
    windows: TrainWindows<'a>,
    sites: Sites<f32, D>,
    metrics: Metrics,
    workers: Workers,
    state: State<D>,
    folder: &'a Path,
    fingerprint: u64,
    clock: Clock,
}

/// A number of its own in the whole run, and the windows.
type Part<'a> = (u64, Vec<&'a [u32]>);

/// Time spent on steps.
#[derive(Default)]
struct Clock {
    tokens: u64,
    time: Duration,
}

impl Clock {
    fn tokens_per_second(&self) -> f64 {
        let seconds = self.time.as_secs_f64();
        if seconds > 0.0 { self.tokens as f64 / seconds } else { 0.0 }
    }
}

impl<D: Backend> Trainer<'_, D> {
    fn train(
        &mut self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Outcome, TrainError> {
        let steps = self.config.train.steps;
        let mut ending = Ending::Finished;
        while self.state.step < steps {
            if stop.load(Ordering::Relaxed) {
                self.save()?;
                ending = Ending::Interrupted;
                break;
            }
            let start = Instant::now();
            let mut now = self.step()?;
            self.clock.time += start.elapsed();
            now.tokens_per_second = self.clock.tokens_per_second();
            let validated = now.step % self.config.train.validate_every == 0 || now.step == steps;
            if validated {
                now.validation = Some(self.validate()?);
            }
            now.best = self.best();
            self.metrics.push(&now);
            if validated {
                self.save()?;
            }
            progress(&now);
        }
        Ok(Outcome {
            ending,
            step: self.state.step,
            best: self.best(),
            tokens_per_second: self.clock.tokens_per_second(),
        })
    }

    fn best(&self) -> Option<Best> {
        self.state.best.as_ref().map(|(best, _)| *best)
    }

    /// One change of the parameters.
    fn step(&mut self) -> Result<Progress, TrainError> {
        let train = &self.config.train;
        let step = self.state.step;
        let mut gradients = Vec::new();
        let mut loss = 0.0;
        for pass in 0..train.accumulate as u64 {
            let parts = self.parts(step, pass);
            for part in self.workers.map(&parts, |part| self.part(part)) {
                let (gradient, part_loss) = part?;
                gradients.push(gradient);
                loss += part_loss;
            }
            // No more than one pass's gradients at a time.
            gradients = vec![sum(&self.state.model.weights, gradients)?];
        }
        self.clock.tokens += (train.accumulate * train.batch * self.config.model.context) as u64;
        let mut gradients = sum(&self.state.model.weights, gradients)?;
        finite("loss", loss, step)?;
        let gradient_norm = norm(&self.state.model.weights, &mut gradients)?;
        finite("gradient norm", gradient_norm, step)?;
        let rate = learning_rate(train, step);
        let State { model, optimizer, .. } = &mut self.state;
        optimizer.update(&mut model.weights, &mut gradients, train, step, rate, gradient_norm)?;
        self.state.step += 1;
        Ok(Progress {
            step: self.state.step,
            steps: train.steps,
            loss,
            learning_rate: rate,
            gradient_norm,
            tokens_per_second: 0.0,
            validation: None,
            best: None,
        })
    }

    /// The windows of a pass, cut into the device's number of parts.
    fn parts(&self, step: u64, pass: u64) -> Vec<Part<'_>> {
        let train = &self.config.train;
        let passes = train.accumulate as u64;
        let windows: Vec<&[u32]> = (0..train.batch as u64)
            .map(|index| self.windows.window(step, pass * train.batch as u64 + index))
            .collect();
        let share = train.batch.div_ceil(D::PARTS).max(1);
        let first = step.wrapping_mul(passes).wrapping_add(pass).wrapping_mul(D::PARTS as u64);
        (first..).zip(windows.chunks(share)).map(|(pass, w)| (pass, w.to_vec())).collect()
    }

    /// The gradients of a part's share in the loss of a step, and that share.
    fn part(&self, (pass, windows): &Part<'_>) -> Result<(Gradients<f32, D>, f64), TrainError> {
        let train = &self.config.train;
        let (inputs, targets) = split(windows);
        let dropout = Dropout {
            rate: train.dropout,
            // Its own family of generators, apart from fresh parameters and windows.
            seed: Random::keyed(train.seed, u64::MAX).next_u64(),
            pass: *pass,
        };
        let model = &self.state.model;
        let logits = model.forward(&inputs, &self.sites, Some(&dropout), OwnedTape::default())?;
        let targets = model.indices(&targets)?;
        let share = windows.len() as f64 / (train.batch * train.accumulate) as f64;
        let loss = ops::cross_entropy(logits, targets).map_err(ModelError::device)?;
        let loss = loss.try_mul(share as f32).map_err(ModelError::device)?;
        let value = loss.as_vec().first().copied().map_or(f64::NAN, f64::from);
        let gradients = loss.try_backward().map_err(ModelError::device)?;
        Ok((sum(&model.weights, [gradients])?, value))
    }

    /// The validation loss; the best parameters are kept.
    fn validate(&mut self) -> Result<f64, TrainError> {
        let train = &self.config.train;
        let State { model, best, step, .. } = &mut self.state;
        let loss = validation_loss(
            model,
            &self.sites,
            self.data.validation(),
            train.validation_tokens,
            train.batch.div_ceil(D::PARTS),
            &self.workers,
        )?;
        finite("validation loss", loss, *step)?;
        if best.as_ref().is_none_or(|(best, _)| loss < best.loss) {
            *best = Some((Best { step: *step, loss }, model.weights.to_tensors()));
        }
        Ok(loss)
    }

    fn save(&mut self) -> Result<(), TrainError> {
        // The metrics first: a line too many is dropped on resuming, a missing one cannot be made up.
        write(self.folder, METRICS_FILE, self.metrics.text().as_bytes())?;
        self.state.save(self.folder, self.fingerprint)
    }
}

fn finite(what: &'static str, value: f64, step: u64) -> Result<(), TrainError> {
    if value.is_finite() { Ok(()) } else { Err(TrainError::NotFinite { what, value, step }) }
}
