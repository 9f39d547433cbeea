use super::{BatchDevice, State, Stepper, TrainError, Usage};
use crate::config::RunConfig;

/// Finds the largest batch that fits into the free memory of the device, to within 1/16. Returns `None` if not
/// even one window fits.
///
/// Tries batches by training on them, because the estimate in [`Usage`] excludes the memory that allocators and
/// libraries use.
pub fn batch_that_fits<D: BatchDevice>(device: &D, config: &RunConfig) -> Option<usize> {
    // A batch of `below` fits; a batch of `above` does not.
    let (mut below, mut above) = (0, config.train.batch);
    let estimate = |free| Usage::for_device::<D>().largest_batch(config, free);
    let mut next = device.free_memory().and_then(estimate).unwrap_or(above / 2);
    while above - below > 1 + below / 16 {
        let batch = next.clamp(below + 1, above - 1);
        match device.guarded(|| steps(device, config, batch)) {
            Ok(Ok(())) => below = batch,
            // Any error counts as not fitting.
            _ => above = batch,
        }
        next = below + (above - below) / 2;
    }
    Some(below).filter(|batch| *batch > 0)
}

/// Runs two training steps. During the second one, all buffers exist at the same time.
fn steps<D: BatchDevice>(device: &D, config: &RunConfig, batch: usize) -> Result<(), TrainError> {
    let mut config = config.clone();
    config.train.batch = batch;
    // Two passes suffice: each pass keeps only the accumulated gradients of the previous ones.
    config.train.accumulate = config.train.accumulate.min(2);
    let mut state = State::new(&config, device)?;
    // A skipped step would not allocate the moments. With the smallest loss scale no step is skipped.
    state.loss_scale.iter_mut().for_each(|scale| while scale.overflowed() {});
    let tokens = vec![0; config.model.context + 1];
    let mut stepper = Stepper::new(&config, &tokens, state)?;
    stepper.step()?;
    stepper.step().map(drop)
}
