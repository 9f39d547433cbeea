//! Operations on NVIDIA GPUs in `f32`, with factors of products in `f16` on demand, each one pass forward and one back on dfdx's tape: products by cuBLAS,
//! everything else by the kernels of the `.cu` files beside this one.
//!
//! They compute what those of `fused` do on the processor, with the same saved values, and are tested
//! against the composed operations of the same names. Everything is queued on the device's one stream;
//! nothing here waits for it. No kernel adds numbers in an order that depends on scheduling, so a
//! result is the same bits each time on one GPU.
//!
//! A tensor made by dfdx starts as zeros, also where all of it is about to be written, because dfdx has no
//! other way to make one from outside.

mod attention;
mod context;
mod cross_entropy;
mod embedding;
mod feed_forward;
mod kernels;
mod launch;
mod linear;
mod norm;
pub(crate) mod parameters;
mod product;
mod projection;
mod residual;
mod span;

use dfdx::shapes::Rank0;
use dfdx::tensor::{Cuda, CudaError, Gradients, Tape, Tensor};
use expe_core::model::Norm;

use super::{
    AttentionSites, AttentionWeights, FeedForward, Heads, Matrix, Operations, Placed, Precision,
    Vector,
};

/// The gradients of a backward pass.
type Slopes = Gradients<f32, Cuda>;

impl Operations<f32> for Cuda {
    const DENSE: bool = false;
    const MIXED: bool = true;

    fn embed<T: Tape<f32, Self>>(
        table: &Matrix<f32, Self>,
        tokens: &Tensor<(usize,), usize, Self>,
        placed: &Placed<'_, f32, Self>,
        tape: T,
    ) -> Result<Matrix<f32, Self, T>, CudaError> {
        embedding::embed(table, tokens, placed, tape)
    }

    fn norm<T: Tape<f32, Self>>(
        x: Matrix<f32, Self, T>,
        weight: &Vector<f32, Self>,
        epsilon: f64,
        norm: Norm,
    ) -> Result<Matrix<f32, Self, T>, CudaError> {
        norm::norm(x, weight, epsilon, norm)
    }

    fn attend<T: Tape<f32, Self>>(
        x: Matrix<f32, Self, T>,
        weights: &AttentionWeights<'_, f32, Self>,
        sites: &AttentionSites<f32, Self>,
        heads: &Heads,
    ) -> Result<Matrix<f32, Self, T>, CudaError> {
        attention::attend(x, weights, sites, heads)
    }

    fn project<T: Tape<f32, Self>>(
        residual: Option<Matrix<f32, Self, T>>,
        x: Matrix<f32, Self, T>,
        weight: &Matrix<f32, Self>,
        precision: Precision,
    ) -> Result<Matrix<f32, Self, T>, CudaError> {
        projection::project(residual, x, weight, precision)
    }

    fn feed_forward<T: Tape<f32, Self>>(
        residual: Option<Matrix<f32, Self, T>>,
        x: Matrix<f32, Self, T>,
        weights: &FeedForward<'_, f32, Self>,
    ) -> Result<Matrix<f32, Self, T>, CudaError> {
        feed_forward::feed_forward(residual, x, weights)
    }

    fn cross_entropy<T: Tape<f32, Self>>(
        x: Matrix<f32, Self, T>,
        head: &Matrix<f32, Self>,
        targets: &Tensor<(usize,), usize, Self>,
        precision: Precision,
    ) -> Result<Tensor<Rank0, f32, Self, T>, CudaError> {
        cross_entropy::cross_entropy(x, head, targets, precision)
    }

    fn log_probabilities(
        x: &Matrix<f32, Self>,
        head: &Matrix<f32, Self>,
        targets: &Tensor<(usize,), usize, Self>,
    ) -> Result<Vector<f32, Self>, CudaError> {
        cross_entropy::log_probabilities(x, head, targets)
    }
}
