use dfdx::dtypes::Dtype;
use dfdx::tensor::Tape;
use dfdx::tensor_ops::{Device, TryAdd, TryMul};

use crate::ops::{Matrix, scalar};

/// Computes `gelu(x) = x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`, the tanh form, element by element.
///
/// Evaluated as `x·σ(2·√(2/π)·(x + 0.044715·x³))`, which is the same since `1 + tanh(z) = 2·σ(2z)`:
/// the gradient of `σ` needs no second exponential, that of dfdx's `fast_gelu` needs a second
/// `tanh`, and the two took a quarter of a training step.
pub fn gelu<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let factor = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
    let cubic = x.retaped::<T>().try_square()?.try_mul(scalar::<E>(factor * 0.044715))?;
    let z = cubic.try_add(scalar::<E>(factor))?.try_mul(x.retaped::<T>())?;
    z.try_sigmoid()?.try_mul(x)
}

/// Computes `silu(x) = x·σ(x)`, element by element.
pub fn silu<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
) -> Result<Matrix<E, D, T>, D::Err> {
    x.retaped::<T>().try_sigmoid()?.try_mul(x)
}

/// Computes `relu(x) = max(x, 0)`, element by element.
pub fn relu<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
) -> Result<Matrix<E, D, T>, D::Err> {
    x.try_relu()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, matrix};
    use super::*;

    #[test]
    fn activations_follow_their_formulas() {
        // Up to about ±8 · 3, which covers both tails of each function.
        let x = matrix(20, 30, 3).try_mul(8.0).unwrap();
        let apply = |f: fn(f64) -> f64| -> Vec<f64> { x.as_vec().into_iter().map(f).collect() };
        let tanh_form = |x: f64| {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        };
        assert_close(&gelu(x.clone()).unwrap().as_vec(), &apply(tanh_form));
        assert_close(&silu(x.clone()).unwrap().as_vec(), &apply(|x| x / (1.0 + (-x).exp())));
        assert_close(&relu(x.clone()).unwrap().as_vec(), &apply(|x| x.max(0.0)));
    }
}
