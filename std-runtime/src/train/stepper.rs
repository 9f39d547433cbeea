use dfdx::tensor::{NoneTape, OwnedTape};
use dfdx::tensor_ops::{Backward, TryMul};
use expe_core::internals::Random;

use super::optimizer::{Update, leaves};
use super::validation::split;
use super::{BatchDevice, LossScale, Progress, State, TrainError, Workers, learning_rate};
use crate::config::{Precision, RunConfig, TrainConfig};
use crate::data::TrainWindows;
use crate::model::{ModelError, Sites, Transformer};
use crate::ops::{Backend, Dropout, GradientList, Kernels, reduce};

/// Performs training steps: forward and backward passes over shards of a batch on several threads, clipping and
/// AdamW. It accesses no files and does not validate.
#[derive(Debug)]
pub struct Stepper<'a, D: Kernels> {
    config: &'a RunConfig,
    windows: TrainWindows<'a>,
    /// The constants of a forward pass over the training length.
    pub sites: Sites<f32, D>,
    /// The threads that process shards.
    pub workers: Workers,
    /// The state that steps update.
    pub state: State<D>,
}

/// The index of the shard, which is unique in the run, and its windows.
type Shard<'a> = (u64, Vec<&'a [u32]>);

impl<'a, D: BatchDevice> Stepper<'a, D> {
    /// Continues from `state` with windows of `tokens`.
    ///
    /// # Errors
    /// [`TrainError::Data`] for too few tokens, [`TrainError::Model`] for a position encoding that does not
    /// support the training length, [`TrainError::Precision`] on a device without half precision,
    /// [`TrainError::Io`] when a thread cannot be started.
    pub fn new(
        config: &'a RunConfig,
        tokens: &'a [u32],
        state: State<D>,
    ) -> Result<Self, TrainError> {
        if config.train.precision == Precision::Mixed && !D::MIXED {
            return Err(TrainError::Precision);
        }
        Ok(Self {
            config,
            windows: TrainWindows::new(tokens, config.model.context, config.train.seed)?,
            sites: state.model.sites(config.model.context)?,
            workers: Workers::new(D::SHARDS).map_err(std::io::Error::other)?,
            state,
        })
    }

    /// Updates the parameters once. With mixed precision, the update is skipped if a gradient exceeds the range of
    /// `f16`; the returned gradient norm is then not finite. Leaves `tokens_per_second`, `validation` and `best`
    /// of the returned progress empty.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`] if training diverged, [`TrainError::Model`] if the model cannot be run.
    pub fn step(&mut self) -> Result<Progress, TrainError> {
        let train = &self.config.train;
        let step = self.state.step;
        let mut gradients: Vec<GradientList<D>> = Vec::new();
        let mut squares = 0.0;
        let scale = self.state.loss_scale.as_ref().map_or(1.0, LossScale::factor);
        let mut loss = 0.0;
        for pass in 0..train.accumulate as u64 {
            let shards = self.shards(step, pass);
            let work =
                |model: &_, sites: &_, shard: &_| gradients_of(train, scale, model, sites, shard);
            for shard in D::map(&self.workers, &self.state.model, &self.sites, &shards, work) {
                let (gradient, shard_loss) = shard?;
                gradients.push(gradient);
                loss += shard_loss;
            }
            // Summed after every pass, so that only one set of gradients is kept.
            let (sum, squared) = reduce::<D>(gradients).map_err(ModelError::device)?;
            (gradients, squares) = (vec![sum], squared);
        }
        let (loss, gradient_norm) = (loss / f64::from(scale), squares.sqrt() / f64::from(scale));
        finite("loss", loss, step)?;
        let rate = learning_rate(train, step);
        let State { model, optimizer, loss_scale, .. } = &mut self.state;
        // With a loss scale, an infinite gradient means that the scale is too large; otherwise it is an error.
        let skip =
            !gradient_norm.is_finite() && loss_scale.as_mut().is_some_and(LossScale::overflowed);
        if !skip {
            finite("gradient norm", gradient_norm, step)?;
            let skipped = loss_scale.as_ref().map_or(0, LossScale::skipped);
            let time = (step + 1).saturating_sub(skipped);
            let update = Update { time, rate, scale, norm: gradient_norm };
            let gradients = gradients.into_iter().flatten().collect();
            optimizer.update(&mut model.weights, gradients, train, &update)?;
            loss_scale.iter_mut().for_each(LossScale::succeeded);
        }
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

    /// Returns the windows of a pass, divided into shards.
    fn shards(&self, step: u64, pass: u64) -> Vec<Shard<'_>> {
        let train = &self.config.train;
        let passes = train.accumulate as u64;
        let windows: Vec<&[u32]> = (0..train.batch as u64)
            .map(|index| self.windows.window(step, pass * train.batch as u64 + index))
            .collect();
        let share = train.batch.div_ceil(D::SHARDS).max(1);
        let first = step.wrapping_mul(passes).wrapping_add(pass).wrapping_mul(D::SHARDS as u64);
        (first..).zip(windows.chunks(share)).map(|(index, w)| (index, w.to_vec())).collect()
    }
}

/// Computes the contribution of a shard to the loss of a step, and its gradients, both multiplied by `scale`.
fn gradients_of<D: Kernels>(
    train: &TrainConfig,
    scale: f32,
    model: &Transformer<D>,
    sites: &Sites<f32, D>,
    (index, windows): &Shard<'_>,
) -> Result<(GradientList<D>, f64), TrainError> {
    let (inputs, targets) = split(windows);
    let dropout = Dropout {
        rate: train.dropout,
        // This key differs from those for initial parameters and windows.
        seed: Random::keyed(train.seed, u64::MAX).next_u64(),
        pass: *index,
    };
    let share = windows.len() as f64 / (train.batch * train.accumulate) as f64;
    let tape = OwnedTape::default();
    let loss = model.loss(&inputs, &targets, sites, train.precision, Some(&dropout), tape)?;
    let loss = loss.try_mul(share as f32 * scale).map_err(ModelError::device)?;
    // The loss is read only after the backward pass is queued, so that a GPU does not idle while the host waits.
    let value = loss.retaped::<NoneTape>();
    let gradients = loss.try_backward().map_err(ModelError::device)?;
    let value = value.as_vec().first().copied().map_or(f64::NAN, f64::from);
    Ok((leaves(&model.weights, gradients)?, value))
}

/// Returns [`TrainError::NotFinite`] if `value` is infinite or NaN.
pub(super) fn finite(what: &'static str, value: f64, step: u64) -> Result<(), TrainError> {
    if value.is_finite() { Ok(()) } else { Err(TrainError::NotFinite { what, value, step }) }
}
