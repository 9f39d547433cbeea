use dfdx::dtypes::Dtype;
use dfdx::tensor::Tape;
use dfdx::tensor_ops::{Device, TryMul};
use expe_core::Activation;

use super::{Matrix, Precision, gelu, projection, relu, silu};

/// The parameters of an MLP.
#[derive(Debug)]
pub struct FeedForward<'a, E: Dtype, D: Device<E>> {
    /// First projection, `[hidden, width]`.
    pub w1: &'a Matrix<E, D>,
    /// Second projection, `[width, hidden]`.
    pub w2: &'a Matrix<E, D>,
    /// Gated projection (SwiGLU only), `[hidden, width]`.
    pub w3: Option<&'a Matrix<E, D>>,
    /// The non-linearity.
    pub activation: Activation,
    /// The numbers of these projections, on devices that offer a choice.
    pub precision: Precision,
}

/// `w2·act(w1·x)`, with `⊙ w3·x` in front of `w2` if there is a `w3`.
///
/// # Errors
/// The device's.
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
