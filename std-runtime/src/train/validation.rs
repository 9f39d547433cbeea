use super::{BatchDevice, TrainError, Workers};
use crate::data::consecutive_windows;
use crate::model::{ModelError, Sites, Transformer};

/// Computes the mean loss over the first `limit` tokens of `tokens`, in nats per token.
///
/// Uses consecutive windows of the length of `sites`, at least one, and processes `batch` windows at a time.
///
/// # Errors
/// [`TrainError::Data`] for a text shorter than one window, [`TrainError::Model`] when the model cannot be
/// run.
pub fn validation_loss<D: BatchDevice>(
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
    for batch_sum in D::map(workers, model, sites, &batches, score) {
        let batch_sum: Result<f64, ModelError> = batch_sum;
        sum -= batch_sum?;
    }
    Ok(sum / (windows.len() * length).max(1) as f64)
}

/// Splits windows of `length + 1` tokens into inputs and targets, each concatenated over the windows.
pub fn split(windows: &[&[u32]]) -> (Vec<u32>, Vec<u32>) {
    let inputs = windows.iter().filter_map(|window| window.split_last()).flat_map(|(_, w)| w);
    let targets = windows.iter().filter_map(|window| window.split_first()).flat_map(|(_, w)| w);
    (inputs.copied().collect(), targets.copied().collect())
}
