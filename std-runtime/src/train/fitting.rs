use super::{State, Stepper, TrainError, TrainingDevice, Usage};
use crate::config::RunConfig;

/// The largest batch, within a sixteenth of itself, with which training fits into the device's memory as it is
/// now, found by training: what allocators and libraries need beside the estimate is known only then. `None`
/// where not even one window fits.
pub fn batch_that_fits<D: TrainingDevice>(device: &D, config: &RunConfig) -> Option<usize> {
    // `config.train.batch` does not fit, nothing does.
    let (mut below, mut above) = (0, config.train.batch);
    let estimate = |free| Usage::of::<D>().largest_batch(config, free);
    let mut next = device.free_memory().and_then(estimate).unwrap_or(above / 2);
    while above - below > 1 + below / 16 {
        let batch = next.clamp(below + 1, above - 1);
        match device.guarded(|| steps(device, config, batch)) {
            Ok(Ok(())) => below = batch,
            // Whatever else goes wrong with these made-up tokens would with others.
            _ => above = batch,
        }
        next = below + (above - below) / 2;
    }
    Some(below).filter(|batch| *batch > 0)
}

/// Two steps, of which the second has all buffers there are beside each other.
fn steps<D: TrainingDevice>(
    device: &D,
    config: &RunConfig,
    batch: usize,
) -> Result<(), TrainError> {
    let mut config = config.clone();
    config.train.batch = batch;
    // The gradients of one pass are kept during the next, however many there are.
    config.train.accumulate = config.train.accumulate.min(2);
    let mut state = State::new(&config, device)?;
    // A skipped step would make no moments.
    state.loss_scale.iter_mut().for_each(|scale| while scale.overflowed() {});
    let tokens = vec![0; config.model.context + 1];
    let mut stepper = Stepper::new(&config, &tokens, state)?;
    stepper.step()?;
    stepper.step().map(drop)
}
