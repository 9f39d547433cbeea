use super::{TrainError, TrainingDevice, Workers};
use crate::data::consecutive_windows;
use crate::model::{ModelError, Sites, Transformer};

/// The mean loss over the first `limit` tokens of `tokens`, in nats per token: consecutive windows
/// of the sites' length, at least one, `batch` at a time.
///
/// # Errors
/// [`TrainError::Data`] for a text shorter than one window, [`TrainError::Model`].
pub fn validation_loss<D: TrainingDevice>(
    model: &Transformer<D>,
    sites: &Sites<f32, D>,
    tokens: &[u32],
    limit: usize,
    batch: usize,
    workers: &Workers,
) -> Result<f64, TrainError> {
    let length = sites.length;
    let windows: Vec<&[u32]> =
        consecutive_windows(tokens, length)?.take((limit / length.max(1)).max(1)).collect();
    let batches: Vec<&[&[u32]]> = windows.chunks(batch.max(1)).collect();
    let score = |model: &Transformer<D>, sites: &Sites<f32, D>, windows: &&[&[u32]]| {
        let (inputs, targets) = split(windows);
        let scores = model.log_probabilities(&inputs, &targets, sites)?;
        Ok(scores.into_iter().map(f64::from).sum())
    };
    let mut sum = 0.0;
    for part in D::map(workers, model, sites, &batches, score) {
        let part: Result<f64, ModelError> = part;
        sum -= part?;
    }
    Ok(sum / (windows.len() * length).max(1) as f64)
}

/// The inputs and the targets of windows of `length + 1` tokens, end to end.
pub fn split(windows: &[&[u32]]) -> (Vec<u32>, Vec<u32>) {
    let inputs = windows.iter().filter_map(|window| window.split_last()).flat_map(|(_, w)| w);
    let targets = windows.iter().filter_map(|window| window.split_first()).flat_map(|(_, w)| w);
    (inputs.copied().collect(), targets.copied().collect())
}
