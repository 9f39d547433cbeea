#![allow(unsafe_code)]

use dfdx::tensor::CudaError;

use super::launch::{LINE, kernel_size, launch};
use crate::ops::bridge::cuda::{Context, DeviceSlice, DeviceSliceMut};

/// Logits that are held in memory at a time: 64 MiB.
const LOGITS: usize = 1 << 24;

/// See [`Kernels::logit_rows`](crate::ops::Kernels::logit_rows).
pub fn logit_rows(vocab: usize, rows: usize) -> usize {
    (LOGITS / vocab.max(1)).max(1).next_multiple_of(64).min(rows.max(1))
}

/// Writes the logarithm of the probability of each row's target to `scores`. With a `share`, the logits become the
/// gradients of a loss in which each row has this share.
pub fn scores(
    context: &Context,
    (rows, vocab): (usize, usize),
    logits: DeviceSliceMut<'_>,
    targets: DeviceSlice<'_, usize>,
    share: Option<f32>,
    scores: DeviceSliceMut<'_>,
) -> Result<(), CudaError> {
    assert!(targets.len() >= rows && scores.len() >= rows, "sizes of a loss");
    assert!(logits.len() >= rows * vocab, "sizes of a loss");
    // SAFETY: a row of `vocab` logits, a target, and a score for each block.
    unsafe {
        let (logits, targets, scores) = (logits.address(), targets.address(), scores.address());
        let parameters = (logits, targets, scores, kernel_size(vocab), share.unwrap_or(0.0));
        launch(context, ("cross_entropy", "cross_entropy"), [rows, 1, 1], LINE, parameters)
    }
}

/// Writes minus the mean of the first `rows` of `scores` to `loss`.
pub fn mean_loss(
    context: &Context,
    rows: usize,
    scores: DeviceSlice<'_>,
    loss: DeviceSliceMut<'_>,
) -> Result<(), CudaError> {
    assert!(loss.len() == 1 && scores.len() >= rows, "sizes of a loss");
    // SAFETY: `rows` numbers are read and one is written.
    unsafe {
        let parameters = (scores.address(), loss.address(), kernel_size(rows));
        launch(context, ("cross_entropy", "mean_loss"), [1, 1, 1], LINE, parameters)
    }
}
