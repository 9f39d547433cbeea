use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axes2, Axis, HasShape};
use dfdx::tensor::Tape;
use dfdx::tensor_ops::{BroadcastTo, Device, PermuteTo, TryMatMul, TryMul};

use super::{Matrix, Vector};

/// `y = x·Wᵀ` for a weight matrix `W` of shape `[out, in]`.
///
/// # Errors
/// The device's.
pub fn projection<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Matrix<E, D>,
) -> Result<Matrix<E, D, T>, D::Err> {
    x.try_matmul(weight.retaped::<T>().try_permute::<(usize, usize), Axes2<1, 0>>()?)
}

/// `y = x·(W ⊙ m)ᵀ`, where the row `m` holds 1 for the input columns that are used and 0 for those
/// that are not: `W[:, l:]·x[l:]` without copying either of them. No gradient reaches a column of
/// `x` that is not used.
///
/// # Errors
/// The device's.
pub fn masked_projection<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Matrix<E, D>,
    used: &Vector<E, D>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let shape = *weight.shape();
    let used = used.clone().try_broadcast_like::<_, Axis<0>>(&shape)?;
    let weight = weight.retaped::<T>().try_mul(used)?;
    x.try_matmul(weight.try_permute::<(usize, usize), Axes2<1, 0>>()?)
}
