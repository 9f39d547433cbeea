use dfdx::dtypes::Dtype;
use dfdx::shapes::Rank0;
use dfdx::tensor::{CopySlice, Tape, Tensor, ZerosTensor};
use dfdx::tensor_ops::{Device, TryAdd};
use expe_core::Norm;

use super::{
    AttentionSites, AttentionWeights, FeedForward, Heads, Matrix, Placed, Precision, Vector,
    attend, cross_entropy, embed, feed_forward, layer_norm, log_probabilities, projection,
    rms_norm,
};

/// The transformer's building blocks on a device: composed from dfdx's operations unless a device
/// brings faster ones, which compute the same.
///
/// `residual` stands for rows that the result is added to. Sizes fit together; whoever calls checks.
pub trait Operations<E: Dtype>: Device<E> + ZerosTensor<usize> + CopySlice<usize> {
    /// Whether products can be computed with [`Precision::Mixed`]; where not, a precision that is asked
    /// for changes nothing.
    const MIXED: bool = false;

    /// Whether [`attend`](Self::attend) works with matrices of masks and differences that are as long
    /// and as wide as a sequence; they are made once per length then.
    const DENSE: bool = true;

    /// See [`embed`].
    ///
    /// # Errors
    /// The device's.
    fn embed<T: Tape<E, Self>>(
        table: &Matrix<E, Self>,
        tokens: &Tensor<(usize,), usize, Self>,
        placed: &Placed<'_, E, Self>,
        tape: T,
    ) -> Result<Matrix<E, Self, T>, Self::Err> {
        embed(table, tokens, placed, tape)
    }

    /// See [`rms_norm`] and [`layer_norm`].
    ///
    /// # Errors
    /// The device's.
    fn norm<T: Tape<E, Self>>(
        x: Matrix<E, Self, T>,
        weight: &Vector<E, Self>,
        epsilon: f64,
        norm: Norm,
    ) -> Result<Matrix<E, Self, T>, Self::Err> {
        match norm {
            Norm::RmsNorm => rms_norm(x, weight, epsilon),
            Norm::LayerNorm => layer_norm(x, weight, epsilon),
        }
    }

    /// See [`attend`].
    ///
    /// # Errors
    /// The device's.
    fn attend<T: Tape<E, Self>>(
        x: Matrix<E, Self, T>,
        weights: &AttentionWeights<'_, E, Self>,
        sites: &AttentionSites<E, Self>,
        heads: &Heads,
    ) -> Result<Matrix<E, Self, T>, Self::Err> {
        attend(x, weights, sites, heads)
    }

    /// See [`projection`].
    ///
    /// # Errors
    /// The device's.
    fn project<T: Tape<E, Self>>(
        residual: Option<Matrix<E, Self, T>>,
        x: Matrix<E, Self, T>,
        weight: &Matrix<E, Self>,
        _: Precision,
    ) -> Result<Matrix<E, Self, T>, Self::Err> {
        added(residual, projection(x, weight)?)
    }

    /// See [`feed_forward`].
    ///
    /// # Errors
    /// The device's.
    fn feed_forward<T: Tape<E, Self>>(
        residual: Option<Matrix<E, Self, T>>,
        x: Matrix<E, Self, T>,
        weights: &FeedForward<'_, E, Self>,
    ) -> Result<Matrix<E, Self, T>, Self::Err> {
        added(residual, feed_forward(x, weights)?)
    }

    /// [`cross_entropy`] of the logits `x·headᵀ`.
    ///
    /// # Errors
    /// The device's.
    fn cross_entropy<T: Tape<E, Self>>(
        x: Matrix<E, Self, T>,
        head: &Matrix<E, Self>,
        targets: &Tensor<(usize,), usize, Self>,
        _: Precision,
    ) -> Result<Tensor<Rank0, E, Self, T>, Self::Err> {
        cross_entropy(projection(x, head)?, targets.clone())
    }

    /// [`log_probabilities`] of the logits `x·headᵀ`.
    ///
    /// # Errors
    /// The device's.
    fn log_probabilities(
        x: &Matrix<E, Self>,
        head: &Matrix<E, Self>,
        targets: &Tensor<(usize,), usize, Self>,
    ) -> Result<Vector<E, Self>, Self::Err> {
        log_probabilities(projection(x.clone(), head)?, targets.clone())
    }
}

fn added<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    residual: Option<Matrix<E, D, T>>,
    x: Matrix<E, D, T>,
) -> Result<Matrix<E, D, T>, D::Err> {
    match residual {
        Some(residual) => residual.try_add(x),
        None => Ok(x),
    }
}
