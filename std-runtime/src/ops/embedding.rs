use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axis, HasShape};
use dfdx::tensor::{Merge, Tape, Tensor};
use dfdx::tensor_ops::{BroadcastTo, Device, GatherTo, ReshapeTo, TryAdd};

use super::{Cube, Matrix};

/// The rows of `table` that `indices` name, one row each.
///
/// # Errors
/// The device's.
pub fn embed<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    table: Matrix<E, D, T>,
    indices: Tensor<(usize,), usize, D>,
) -> Result<Matrix<E, D, T>, D::Err> {
    table.try_gather::<(usize, usize), (usize,)>(indices)
}

/// Add the same `rows`, one per position, to every sequence of the batch: `x` holds
/// `batch · length` rows, `rows` holds `length`.
///
/// # Errors
/// The device's.
pub fn add_rows<E: Dtype, D: Device<E>, T: Tape<E, D> + Merge<R>, R: Tape<E, D>>(
    x: Matrix<E, D, T>,
    rows: Matrix<E, D, R>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let shape @ (count, width) = *x.shape();
    let length = rows.shape().0;
    let batched = (count / length.max(1), length, width);
    let x: Cube<E, D, T> = x.try_reshape_like(&batched)?;
    x.try_add(rows.try_broadcast_like::<_, Axis<0>>(&batched)?)?.try_reshape_like(&shape)
}
