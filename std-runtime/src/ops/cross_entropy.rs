use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axis, HasShape, Rank0};
use dfdx::tensor::{Tape, Tensor};
use dfdx::tensor_ops::{Device, MeanTo, SelectTo};

use super::{Matrix, Vector};

/// `log p(target)` for each row of `logits`, where `p = softmax(logits)`.
///
/// # Errors
/// The device's.
pub fn log_probabilities<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    logits: Matrix<E, D, T>,
    targets: Tensor<(usize,), usize, D>,
) -> Result<Vector<E, D, T>, D::Err> {
    logits.try_log_softmax::<Axis<1>>()?.try_select::<(usize,), (usize,)>(targets)
}

/// The mean over rows of `−log p(target)`, in nats.
///
/// # Errors
/// The device's.
pub fn cross_entropy<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    logits: Matrix<E, D, T>,
    targets: Tensor<(usize,), usize, D>,
) -> Result<Tensor<Rank0, E, D, T>, D::Err> {
    debug_assert_eq!(logits.shape().0, targets.shape().0);
    log_probabilities(logits, targets)?.try_mean::<Rank0, _>()?.try_negate()
}
