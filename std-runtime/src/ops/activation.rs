use dfdx::dtypes::Dtype;
use dfdx::tensor::Tape;
use dfdx::tensor_ops::{Device, TryMul};

use super::Matrix;

/// `gelu(x) = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`, the tanh form, element by element.
///
/// # Errors
/// The device's.
pub fn gelu<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
) -> Result<Matrix<E, D, T>, D::Err> {
    x.try_fast_gelu()
}

/// `silu(x) = x·σ(x)`, element by element.
///
/// # Errors
/// The device's.
pub fn silu<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
) -> Result<Matrix<E, D, T>, D::Err> {
    x.retaped::<T>().try_sigmoid()?.try_mul(x)
}

/// `relu(x) = max(x, 0)`, element by element.
///
/// # Errors
/// The device's.
pub fn relu<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
) -> Result<Matrix<E, D, T>, D::Err> {
    x.try_relu()
}
