use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::fitting::batch_that_fits;
use super::folder::{
    CONFIG_FILE, METRICS_FILE, MODEL_FILE, TOKENIZER_FILE, TRAINER_FILE, read, same_config, write,
};
use super::stepper::{Stepper, finite};
use super::{
    BatchDevice, Best, Ending, Metrics, Outcome, Progress, RunLock, State, TrainError, Usage,
    validation_loss,
};
use crate::atomic::remove_left_over;
use crate::config::RunConfig;
use crate::data::{Dataset, TrainWindows, consecutive_windows};

/// Trains the model of `config` on `data` in the run folder `folder`.
///
/// With `resume`, training continues from the checkpoint in the folder, if there is one. `stop` is checked
/// before every step; once it is set, everything is saved and the outcome is [`Ending::Interrupted`].
/// `progress` is called after every step.
///
/// The result is reproducible bit for bit. It depends only on `config`, `data` and the machine, not on the number of
/// threads or on how often training was interrupted and resumed. Several runs in one process are independent.
///
/// # Errors
/// Returns a [`TrainError`]. The last checkpoint remains intact.
pub fn run<D: BatchDevice>(
    device: &D,
    config: &RunConfig,
    data: &Dataset,
    folder: &Path,
    resume: bool,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome, TrainError> {
    let free = device.free_memory();
    let done = device.guarded(|| {
        let (mut trainer, _lock) = prepare(device, free, config, data, folder, resume)?;
        trainer.train(stop, progress)
    });
    // If memory ran out, the estimate was too low. The memory of the attempt has been freed by now.
    done.unwrap_or_else(|error| Err(error.into()))
        .map_err(|error| error.with_batch(config.train.batch, || batch_that_fits(device, config)))
}

/// Checks the inputs, opens the run folder and creates or loads the state.
fn prepare<'a, D: BatchDevice>(
    device: &D,
    free: Option<u64>,
    config: &'a RunConfig,
    data: &'a Dataset,
    folder: &'a Path,
    resume: bool,
) -> Result<(Trainer<'a, D>, RunLock), TrainError> {
    config.check()?;
    // Detects a text that is too short before creating the folder and before the first validation.
    TrainWindows::new(data.train(), config.model.context, config.train.seed)?;
    consecutive_windows(data.validation(), config.model.context).map(drop)?;
    if let Some(free) = free {
        Usage::for_device::<D>().check(config, free)?;
    }
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
    let trainer = Trainer {
        config,
        data,
        metrics: Metrics::up_to(&String::from_utf8_lossy(&metrics), state.step),
        stepper: Stepper::new(config, data.train(), state)?,
        folder,
        fingerprint,
        clock: Clock::default(),
    };
    if !has_checkpoint {
        write(folder, CONFIG_FILE, config.to_toml()?.as_bytes())?;
        data.tokenizer().save(&folder.join(TOKENIZER_FILE))?;
    }
    Ok((trainer, lock))
}

struct Trainer<'a, D: BatchDevice> {
    config: &'a RunConfig,
    data: &'a Dataset,
    metrics: Metrics,
    stepper: Stepper<'a, D>,
    folder: &'a Path,
    fingerprint: u64,
    clock: Clock,
}

/// Number of tokens and duration of the steps since training was started or resumed.
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

impl<D: BatchDevice> Trainer<'_, D> {
    fn train(
        &mut self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<Outcome, TrainError> {
        let steps = self.config.train.steps;
        let mut ending = Ending::Finished;
        while self.stepper.state.step < steps {
            if stop.load(Ordering::Relaxed) {
                self.save()?;
                ending = Ending::Interrupted;
                break;
            }
            let start = Instant::now();
            let mut now = self.stepper.step()?;
            self.clock.time += start.elapsed();
            self.clock.tokens += self.config.tokens_per_step();
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
            step: self.stepper.state.step,
            best: self.best(),
            tokens_per_second: self.clock.tokens_per_second(),
        })
    }

    fn best(&self) -> Option<Best> {
        self.stepper.state.best.as_ref().map(|(best, _)| *best)
    }

    /// Computes the validation loss, and stores the parameters if it is the lowest so far.
    fn validate(&mut self) -> Result<f64, TrainError> {
        let train = &self.config.train;
        let Stepper { sites, workers, state, .. } = &mut self.stepper;
        let State { model, best, step, .. } = state;
        let loss = validation_loss(
            model,
            sites,
            self.data.validation(),
            train.validation_tokens,
            train.batch.div_ceil(D::SHARDS),
            workers,
        )?;
        finite("validation loss", loss, *step)?;
        if best.as_ref().is_none_or(|(best, _)| loss < best.loss) {
            *best = Some((Best { step: *step, loss }, model.weights.to_tensors()));
        }
        Ok(loss)
    }

    fn save(&mut self) -> Result<(), TrainError> {
        // Metrics are written first: resuming drops surplus lines, but cannot restore missing ones.
        write(self.folder, METRICS_FILE, self.metrics.text().as_bytes())?;
        self.stepper.state.save(self.folder, self.fingerprint)
    }
}
