use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axis, HasShape};
use dfdx::tensor::Tape;
use dfdx::tensor_ops::{BroadcastTo, Device, MeanTo, TryAdd, TryMul, TrySub};

use super::{Matrix, Vector};
use crate::device::scalar;

/// `y = g ⊙ x / sqrt(mean(x²) + ε)` over each row of `x`.
///
/// # Errors
/// The device's.
pub fn rms_norm<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Vector<E, D>,
    epsilon: f64,
) -> Result<Matrix<E, D, T>, D::Err> {
    let shape = *x.shape();
    let mean: Vector<E, D, T> = x.retaped::<T>().try_square()?.try_mean::<_, Axis<1>>()?;
    let inverse = mean.try_add(scalar::<E>(epsilon))?.try_sqrt()?.try_recip()?;
    x.try_mul(inverse.try_broadcast_like::<_, Axis<1>>(&shape)?)?
        .try_mul(weight.retaped::<T>().try_broadcast_like::<_, Axis<0>>(&shape)?)
}

/// `y = g ⊙ (x − mean(x)) / sqrt(var(x) + ε)` over each row of `x`, without a bias; the variance
/// is the mean square, as everywhere in neural networks.
///
/// # Errors
/// The device's.
pub fn layer_norm<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Vector<E, D>,
    epsilon: f64,
) -> Result<Matrix<E, D, T>, D::Err> {
    let shape = *x.shape();
    let mean: Vector<E, D, T> = x.retaped::<T>().try_mean::<_, Axis<1>>()?;
    rms_norm(x.try_sub(mean.try_broadcast_like::<_, Axis<1>>(&shape)?)?, weight, epsilon)
}
