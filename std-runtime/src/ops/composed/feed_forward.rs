use dfdx::dtypes::Dtype;
use dfdx::tensor::Tape;
use dfdx::tensor_ops::{Device, TryMul};
use expe_core::Activation;

use super::{gelu, projection, relu, silu};
use crate::ops::{FeedForward, Matrix};

/// Computes `w2·act(w1·x)`, or `w2·(act(w1·x) ⊙ w3·x)` if there is a `w3`.
pub fn feed_forward<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weights: &FeedForward<'_, E, D>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let gate = weights.w3.map(|w3| projection(x.retaped::<T>(), w3)).transpose()?;
    let inner = projection(x, weights.w1)?;
    let inner = match weights.activation {
        Activation::Gelu => gelu(inner)?,
        Activation::Relu => relu(inner)?,
        Activation::SwiGlu => silu(inner)?,
    };
    let inner = match gate {
        Some(gate) => inner.try_mul(gate)?,
        None => inner,
    };
    projection(inner, weights.w2)
}
