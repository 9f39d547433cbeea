//! The [`Operations`](super::Operations) of devices with faster ones than the composed.

/// `impl Operations<f32>` for a device: each operation is the function of the same name in a module beside
/// the call, `$timed` stands around those that are one part of a step's time.
macro_rules! faster_operations {
    ($device:ty, $timed:path) => {
        const _: () = {
            use dfdx::shapes::Rank0;
            use dfdx::tensor::{HasErr, Tape, Tensor};
            use expe_core::Norm;

            use crate::ops::profile::{Operation, Pass};
            use crate::ops::{
                AttentionSites, AttentionWeights, FeedForward, Heads, Matrix, Operations, Placed,
                Precision, Vector,
            };

            impl Operations<f32> for $device {
                const DENSE: bool = false;
                const MIXED: bool = true;

                fn embed<T: Tape<f32, Self>>(
                    table: &Matrix<f32, Self>,
                    tokens: &Tensor<(usize,), usize, Self>,
                    placed: &Placed<'_, f32, Self>,
                    tape: T,
                ) -> Result<Matrix<f32, Self, T>, <Self as HasErr>::Err> {
                    $timed(Operation::Embedding, Pass::Forward, || {
                        embedding::embed(table, tokens, placed, tape)
                    })
                }

                fn norm<T: Tape<f32, Self>>(
                    x: Matrix<f32, Self, T>,
                    weight: &Vector<f32, Self>,
                    epsilon: f64,
                    norm: Norm,
                ) -> Result<Matrix<f32, Self, T>, <Self as HasErr>::Err> {
                    $timed(Operation::Norm, Pass::Forward, || norm::norm(x, weight, epsilon, norm))
                }

                fn attend<T: Tape<f32, Self>>(
                    x: Matrix<f32, Self, T>,
                    weights: &AttentionWeights<'_, f32, Self>,
                    sites: &AttentionSites<f32, Self>,
                    heads: &Heads,
                ) -> Result<Matrix<f32, Self, T>, <Self as HasErr>::Err> {
                    attention::attend(x, weights, sites, heads)
                }

                fn project<T: Tape<f32, Self>>(
                    residual: Option<Matrix<f32, Self, T>>,
                    x: Matrix<f32, Self, T>,
                    weight: &Matrix<f32, Self>,
                    precision: Precision,
                ) -> Result<Matrix<f32, Self, T>, <Self as HasErr>::Err> {
                    $timed(Operation::Projection, Pass::Forward, || {
                        projection::project(residual, x, weight, precision)
                    })
                }

                fn feed_forward<T: Tape<f32, Self>>(
                    residual: Option<Matrix<f32, Self, T>>,
                    x: Matrix<f32, Self, T>,
                    weights: &FeedForward<'_, f32, Self>,
                ) -> Result<Matrix<f32, Self, T>, <Self as HasErr>::Err> {
                    $timed(Operation::FeedForward, Pass::Forward, || {
                        feed_forward::feed_forward(residual, x, weights)
                    })
                }

                fn cross_entropy<T: Tape<f32, Self>>(
                    x: Matrix<f32, Self, T>,
                    head: &Matrix<f32, Self>,
                    targets: &Tensor<(usize,), usize, Self>,
                    precision: Precision,
                ) -> Result<Tensor<Rank0, f32, Self, T>, <Self as HasErr>::Err> {
                    $timed(Operation::CrossEntropy, Pass::Forward, || {
                        cross_entropy::cross_entropy(x, head, targets, precision)
                    })
                }

                fn log_probabilities(
                    x: &Matrix<f32, Self>,
                    head: &Matrix<f32, Self>,
                    targets: &Tensor<(usize,), usize, Self>,
                ) -> Result<Vector<f32, Self>, <Self as HasErr>::Err> {
                    cross_entropy::log_probabilities(x, head, targets)
                }
            }
        };
    };
}

pub(super) use faster_operations;
