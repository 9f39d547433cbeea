//! Operations on the processor in `f32`, each one pass forward and one back on dfdx's tape, with
//! products by the `gemm` crate and element-wise arithmetic in vector instructions.
//!
//! Everything runs on the calling thread: a batch is divided between threads as a whole. Each is
//! tested against the composed operation of the same name, run in `f64`.

mod attention;
mod buffer;
mod cross_entropy;
mod embedding;
mod feed_forward;
mod half_precision;
pub(super) mod linear;
mod norm;
pub(super) mod product;
mod projection;
mod residual;
pub(crate) mod storage;
#[cfg(test)]
mod testing;
pub(crate) mod vector;

use dfdx::shapes::Rank0;
use dfdx::tensor::{Cpu, CpuError, Tape, Tensor};
use expe_core::model::Norm;

use super::profile::{Operation, Pass, timed};
use super::{
    AttentionSites, AttentionWeights, FeedForward, Heads, Matrix, Operations, Placed, Precision,
    Vector,
};

/// `f64` serves tests: the composed operations are the reference.
impl Operations<f64> for Cpu {}

impl Operations<f32> for Cpu {
    const DENSE: bool = false;
    const MIXED: bool = true;

    fn embed<T: Tape<f32, Self>>(
        table: &Matrix<f32, Self>,
        tokens: &Tensor<(usize,), usize, Self>,
        placed: &Placed<'_, f32, Self>,
        tape: T,
    ) -> Result<Matrix<f32, Self, T>, CpuError> {
        timed(Operation::Embedding, Pass::Forward, || embedding::embed(table, tokens, placed, tape))
    }

    fn norm<T: Tape<f32, Self>>(
        x: Matrix<f32, Self, T>,
        weight: &Vector<f32, Self>,
        epsilon: f64,
        norm: Norm,
    ) -> Result<Matrix<f32, Self, T>, CpuError> {
        timed(Operation::Norm, Pass::Forward, || norm::norm(x, weight, epsilon, norm))
    }

    fn attend<T: Tape<f32, Self>>(
        x: Matrix<f32, Self, T>,
        weights: &AttentionWeights<'_, f32, Self>,
        sites: &AttentionSites<f32, Self>,
        heads: &Heads,
    ) -> Result<Matrix<f32, Self, T>, CpuError> {
        attention::attend(x, weights, sites, heads)
    }

    fn project<T: Tape<f32, Self>>(
        residual: Option<Matrix<f32, Self, T>>,
        x: Matrix<f32, Self, T>,
        weight: &Matrix<f32, Self>,
        precision: Precision,
    ) -> Result<Matrix<f32, Self, T>, CpuError> {
        timed(Operation::Projection, Pass::Forward, || {
            projection::project(residual, x, weight, precision)
        })
    }

    fn feed_forward<T: Tape<f32, Self>>(
        residual: Option<Matrix<f32, Self, T>>,
        x: Matrix<f32, Self, T>,
        weights: &FeedForward<'_, f32, Self>,
    ) -> Result<Matrix<f32, Self, T>, CpuError> {
        timed(Operation::FeedForward, Pass::Forward, || {
            feed_forward::feed_forward(residual, x, weights)
        })
    }

    fn cross_entropy<T: Tape<f32, Self>>(
        x: Matrix<f32, Self, T>,
        head: &Matrix<f32, Self>,
        targets: &Tensor<(usize,), usize, Self>,
        precision: Precision,
    ) -> Result<Tensor<Rank0, f32, Self, T>, CpuError> {
        timed(Operation::CrossEntropy, Pass::Forward, || {
            cross_entropy::cross_entropy(x, head, targets, precision)
        })
    }

    fn log_probabilities(
        x: &Matrix<f32, Self>,
        head: &Matrix<f32, Self>,
        targets: &Tensor<(usize,), usize, Self>,
    ) -> Result<Vector<f32, Self>, CpuError> {
        cross_entropy::log_probabilities(x, head, targets)
    }
}
