//! The optimizer's step and the sum of gradients.

use dfdx::shapes::Shape;
use dfdx::tensor::Tensor;

use super::adamw::AdamWStep;
use super::bridge::Stored;
use super::kernels::Kernels;
use super::trace::{self, Operation, Pass};

/// Requests a step of `weight`, whose moments change along with it; see [`Kernels::update`].
pub fn update<S: Shape, D: Kernels>(
    updates: &mut D::Updates,
    step: AdamWStep,
    weight: &mut Tensor<S, f32, D>,
    [first, second]: [&mut Stored<D>; 2],
    mut gradient: Stored<D>,
) -> Result<(), D::Err> {
    let _span =
        trace::operation_on(rayon::current_num_threads(), Operation::Optimizer, Pass::Forward);
    let queue = D::queue_of(&gradient)?;
    let gradient = D::take(&queue, &mut gradient)?;
    let moments = [D::stored_mut(first), D::stored_mut(second)];
    D::update(&queue, updates, step, D::slice_mut(weight), moments, gradient)
}

/// Lists of gradients, one for each parameter in the same order.
pub type GradientList<D> = Vec<Stored<D>>;

/// Sums up the gradients of all shards in their order. Returns the sums, and the sum of the squares of all their
/// numbers. Both do not depend on the number of threads.
pub fn reduce<D: Kernels>(shards: Vec<GradientList<D>>) -> Result<(GradientList<D>, f64), D::Err> {
    let _span =
        trace::operation_on(rayon::current_num_threads(), Operation::Reduction, Pass::Backward);
    let mut shards = shards.into_iter();
    let mut sums = shards.next().unwrap_or_default();
    let others: Vec<GradientList<D>> = shards.collect();
    let Some(first) = sums.first() else { return Ok((sums, 0.0)) };
    let queue = D::queue_of(first)?;
    let squares = D::reduce(
        &queue,
        sums.iter_mut().map(D::stored_mut).collect(),
        &others.iter().map(|list| list.iter().map(D::stored).collect()).collect::<Vec<_>>(),
    )?;
    Ok((sums, squares))
}
