use dfdx::dtypes::Dtype;
use dfdx::shapes::Rank0;
use dfdx::tensor::{CopySlice, Cpu, Tape, Tensor, ZerosTensor};
use dfdx::tensor_ops::{Device, TryAdd};
use expe_core::Norm;

use super::attention::attend;
use super::bridge::tensor;
use super::cross_entropy::{cross_entropy, log_probabilities};
use super::embedding::{Placed, embed};
use super::feed_forward::{FeedForward, feed_forward};
use super::kernels::Kernels;
use super::layout::Heads;
use super::norm::norm;
use super::projection::project;
use super::sites::{AttentionSites, AttentionWeights};
use super::{Matrix, Vector, composed};
use crate::config::Precision;

/// The transformer's building blocks on a device, for elements `E`: composed from dfdx's operations unless the
/// device has [`Kernels`].
///
/// `residual` stands for rows that the result is added to. Sizes fit together; callers check them.
pub trait Backend<E: Dtype = f32>: Device<E> + ZerosTensor<usize> + CopySlice<usize> {
    /// Whether products can be computed with [`Precision::Mixed`]; where not, the precision is ignored.
    const MIXED: bool = false;

    /// Whether [`attend`](Self::attend) works with matrices of masks and differences that are as long
    /// and as wide as a sequence; they are made once per length then.
    const DENSE: bool = true;

    /// Creates an index tensor; the device may still be at work on something else when this returns.
    fn indices(&self, indices: Vec<usize>) -> Result<Tensor<(usize,), usize, Self>, Self::Err> {
        tensor(self, (indices.len(),), &indices)
    }

    /// Looks up embeddings and adds positions, see [`composed::embed`].
    fn embed<T: Tape<E, Self>>(
        table: &Matrix<E, Self>,
        tokens: &Tensor<(usize,), usize, Self>,
        placed: &Placed<'_, E, Self>,
        tape: T,
    ) -> Result<Matrix<E, Self, T>, Self::Err> {
        composed::embed(table, tokens, placed, tape)
    }

    /// Normalizes rows, see [`composed::rms_norm`] and [`composed::layer_norm`].
    fn norm<T: Tape<E, Self>>(
        x: Matrix<E, Self, T>,
        weight: &Vector<E, Self>,
        epsilon: f64,
        norm: Norm,
    ) -> Result<Matrix<E, Self, T>, Self::Err> {
        match norm {
            Norm::RmsNorm => composed::rms_norm(x, weight, epsilon),
            Norm::LayerNorm => composed::layer_norm(x, weight, epsilon),
        }
    }

    /// Computes causal attention with its input projections, see [`composed::attend`].
    fn attend<T: Tape<E, Self>>(
        x: Matrix<E, Self, T>,
        weights: &AttentionWeights<'_, E, Self>,
        sites: &AttentionSites<E, Self>,
        heads: &Heads,
    ) -> Result<Matrix<E, Self, T>, Self::Err> {
        composed::attend(x, weights, sites, heads)
    }

    /// Multiplies rows by a weight matrix, see [`composed::projection`].
    fn project<T: Tape<E, Self>>(
        residual: Option<Matrix<E, Self, T>>,
        x: Matrix<E, Self, T>,
        weight: &Matrix<E, Self>,
        _: Precision,
    ) -> Result<Matrix<E, Self, T>, Self::Err> {
        added(residual, composed::projection(x, weight)?)
    }

    /// Computes an MLP, see [`composed::feed_forward`].
    fn feed_forward<T: Tape<E, Self>>(
        residual: Option<Matrix<E, Self, T>>,
        x: Matrix<E, Self, T>,
        weights: &FeedForward<'_, E, Self>,
    ) -> Result<Matrix<E, Self, T>, Self::Err> {
        added(residual, composed::feed_forward(x, weights)?)
    }

    /// Computes the [`composed::cross_entropy`] of the logits `x·headᵀ`.
    fn cross_entropy<T: Tape<E, Self>>(
        x: Matrix<E, Self, T>,
        head: &Matrix<E, Self>,
        targets: &Tensor<(usize,), usize, Self>,
        _: Precision,
    ) -> Result<Tensor<Rank0, E, Self, T>, Self::Err> {
        composed::cross_entropy(composed::projection(x, head)?, targets.clone())
    }

    /// Computes the [`composed::log_probabilities`] of the logits `x·headᵀ`.
    fn log_probabilities(
        x: &Matrix<E, Self>,
        head: &Matrix<E, Self>,
        targets: &Tensor<(usize,), usize, Self>,
    ) -> Result<Vector<E, Self>, Self::Err> {
        composed::log_probabilities(composed::projection(x.clone(), head)?, targets.clone())
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

/// The reference in tests: composed operations in `f64`.
impl Backend<f64> for Cpu {}

impl<D: Kernels> Backend<f32> for D {
    const MIXED: bool = true;
    const DENSE: bool = false;

    fn indices(&self, indices: Vec<usize>) -> Result<Tensor<(usize,), usize, Self>, Self::Err> {
        self.upload_indices(indices)
    }

    fn embed<T: Tape<f32, Self>>(
        table: &Matrix<f32, Self>,
        tokens: &Tensor<(usize,), usize, Self>,
        placed: &Placed<'_, f32, Self>,
        tape: T,
    ) -> Result<Matrix<f32, Self, T>, Self::Err> {
        embed(table, tokens, placed, tape)
    }

    fn norm<T: Tape<f32, Self>>(
        x: Matrix<f32, Self, T>,
        weight: &Vector<f32, Self>,
        epsilon: f64,
        kind: Norm,
    ) -> Result<Matrix<f32, Self, T>, Self::Err> {
        norm(x, weight, epsilon, kind)
    }

    fn attend<T: Tape<f32, Self>>(
        x: Matrix<f32, Self, T>,
        weights: &AttentionWeights<'_, f32, Self>,
        sites: &AttentionSites<f32, Self>,
        heads: &Heads,
    ) -> Result<Matrix<f32, Self, T>, Self::Err> {
        attend(x, weights, sites, heads)
    }

    fn project<T: Tape<f32, Self>>(
        residual: Option<Matrix<f32, Self, T>>,
        x: Matrix<f32, Self, T>,
        weight: &Matrix<f32, Self>,
        precision: Precision,
    ) -> Result<Matrix<f32, Self, T>, Self::Err> {
        project(residual, x, weight, precision)
    }

    fn feed_forward<T: Tape<f32, Self>>(
        residual: Option<Matrix<f32, Self, T>>,
        x: Matrix<f32, Self, T>,
        weights: &FeedForward<'_, f32, Self>,
    ) -> Result<Matrix<f32, Self, T>, Self::Err> {
        feed_forward(residual, x, weights)
    }

    fn cross_entropy<T: Tape<f32, Self>>(
        x: Matrix<f32, Self, T>,
        head: &Matrix<f32, Self>,
        targets: &Tensor<(usize,), usize, Self>,
        precision: Precision,
    ) -> Result<Tensor<Rank0, f32, Self, T>, Self::Err> {
        cross_entropy(x, head, targets, precision)
    }

    fn log_probabilities(
        x: &Matrix<f32, Self>,
        head: &Matrix<f32, Self>,
        targets: &Tensor<(usize,), usize, Self>,
    ) -> Result<Vector<f32, Self>, Self::Err> {
        log_probabilities(x, head, targets)
    }
}
