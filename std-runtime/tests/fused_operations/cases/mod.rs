//! Each `f32` operation against the composed `f64` one on the same numbers, and against finite differences of it:
//! results, and gradients of all inputs and weights.

mod attention;
mod cross_entropy;
mod embedding;
mod feed_forward;
mod norm;
mod projection;

use std::fmt::Debug;

use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axis, HasShape, Rank0, Shape};
use dfdx::tensor::{Cpu, Gradients, OwnedTape, Tensor};
use dfdx::tensor_ops::{Backward, ReshapeTo, SumTo, TryAdd, TryMul};
use expe::ops::{Backend, scalar, tensor};
use expe_core::internals::Random;

use super::{Fast, SEEDS, fast};

type Recorded<S, E, D> = Tensor<S, E, D, OwnedTape<E, D>>;

/// An operation with its sizes.
trait Case: Debug {
    /// Returns the length of each input and each weight, and the size of its numbers.
    fn inputs(&self) -> Vec<(usize, f32)>;

    /// Returns how many roundings one number of the result or of a gradient depends on.
    fn roundings(&self) -> usize;

    fn run<E: Dtype, D: Backend<E>>(&self, device: &D, inputs: &[Vec<f64>]) -> Outcome;
}

struct Outcome {
    loss: f64,
    /// The result, and the gradients of the inputs.
    lists: Vec<Vec<f64>>,
}

/// An input or a weight.
trait Leaf<E: Dtype, D: Backend<E>> {
    fn weighted(&self, seed: u64) -> Recorded<Rank0, E, D>;
    fn gradient(&self, gradients: &Gradients<E, D>) -> Vec<f64>;
}

impl<S: Shape, E: Dtype, D: Backend<E>> Leaf<E, D> for Tensor<S, E, D> {
    fn weighted(&self, seed: u64) -> Recorded<Rank0, E, D> {
        weighted(self.retaped(), seed)
    }

    fn gradient(&self, gradients: &Gradients<E, D>) -> Vec<f64> {
        numbers(gradients.get(self).as_vec())
    }
}

fn numbers<E: Dtype>(values: Vec<E>) -> Vec<f64> {
    values.into_iter().map(|x| x.to_f64().unwrap()).collect()
}

/// Normally distributed numbers that `f32` holds exactly.
fn normal(count: usize, size: f32, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    (0..count).map(|_| f64::from(size * random.normal())).collect()
}

fn indices<E: Dtype, D: Backend<E>>(
    device: &D,
    count: usize,
    below: usize,
) -> Tensor<(usize,), usize, D> {
    let mut random = Random::new(count as u64);
    let drawn: Vec<usize> =
        (0..count).map(|_| (random.next_u64() >> 33) as usize % below).collect();
    tensor(device, (count,), &drawn).unwrap()
}

fn leaf<S: Shape, E: Dtype, D: Backend<E>>(
    device: &D,
    shape: S,
    values: &[f64],
) -> Tensor<S, E, D> {
    let values: Vec<E> = values.iter().copied().map(scalar).collect();
    tensor(device, shape, &values).unwrap()
}

/// Sums up all numbers, each with its own factor.
fn weighted<S: Shape, E: Dtype, D: Backend<E>>(
    x: Recorded<S, E, D>,
    seed: u64,
) -> Recorded<Rank0, E, D> {
    let count = x.shape().num_elements();
    let factors: Tensor<(usize,), E, D> = leaf(x.device(), (count,), &normal(count, 1.0, seed));
    let x = x.try_reshape_like(&(count,)).unwrap();
    x.try_mul(factors).unwrap().try_sum::<_, Axis<0>>().unwrap()
}

/// Computes a loss, the sum of the weighted sums of the result and of each leaf, and its gradients. The leaves are
/// recorded last, so that an operation finds gradients of size 1 that it has to add to.
fn outcome<S: Shape, E: Dtype, D: Backend<E>>(
    result: Recorded<S, E, D>,
    leaves: &[&dyn Leaf<E, D>],
) -> Outcome {
    let mut lists = vec![numbers(result.as_vec())];
    let mut loss = weighted(result, 100);
    for (leaf, seed) in leaves.iter().zip(101..) {
        loss = loss.try_add(leaf.weighted(seed)).unwrap();
    }
    let value = numbers(loss.as_vec())[0];
    let gradients = loss.backward();
    lists.extend(leaves.iter().map(|leaf| leaf.gradient(&gradients)));
    Outcome { loss: value, lists }
}

fn draw(case: &impl Case, seed: u64) -> Vec<Vec<f64>> {
    let seeds = 10 * seed..;
    case.inputs()
        .into_iter()
        .zip(seeds)
        .map(|((count, size), seed)| normal(count, size, seed))
        .collect()
}

/// Runs the tested operation, in `f32`.
fn fast_run(case: &impl Case, inputs: &[Vec<f64>]) -> Outcome {
    case.run::<f32, Fast>(&fast(), inputs)
}

/// Runs the operation composed from dfdx's own, in `f64` on the processor.
fn exact_run(case: &impl Case, inputs: &[Vec<f64>]) -> Outcome {
    case.run::<f64, Cpu>(&Cpu::default(), inputs)
}

fn largest(list: &[f64]) -> f64 {
    list.iter().fold(0.0, |largest, x| largest.max(x.abs()))
}

/// Half a unit in the last place, the error of one rounding of a number near 1.
const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// The error of a rounding is at most 2^-24 of the sum that it happens in. Such a sum has the size of the list's
/// largest number, or of 1 where all of them cancel, which is the size of what [`outcome`] adds. Errors of random
/// sign keep a sum of `n` terms √n times below `n` roundings, which leaves room for terms that are larger than their
/// sum. The same operation twice has the same bits.
fn compare(case: &impl Case, seed: u64) {
    let inputs = draw(case, seed);
    let (fast, exact) = (fast_run(case, &inputs), exact_run(case, &inputs));
    assert_eq!(fast.lists.len(), inputs.len() + 1);
    assert_eq!(fast.lists, fast_run(case, &inputs).lists, "{case:?} differs between runs");
    for (index, (fast, exact)) in fast.lists.iter().zip(&exact.lists).enumerate() {
        assert_eq!(fast.len(), exact.len());
        let bound = case.roundings() as f64 * ROUNDING * largest(exact).max(1.0);
        for (at, (fast, exact)) in fast.iter().zip(exact).enumerate() {
            let off = (fast - exact).abs();
            assert!(
                off <= bound,
                "{case:?}, list {index} at {at}: {fast} {exact}, bound {bound:e}"
            );
        }
    }
}

fn check(case: &impl Case) {
    (1..=SEEDS).for_each(|seed| compare(case, seed));
}

/// Central differences in `f64` with step `h = 1e-5`: the remainder `h²/6·f‴` is below 2e-9 of the
/// list's largest for third derivatives up to 100 times it, and a loss that is a sum of numbers of up to
/// 100 together, each a few roundings off, adds `4·100·2^-53/h = 5e-9`; the gradient's own roundings are
/// those of [`compare`].
fn differentiate(case: &impl Case) {
    let mut inputs = draw(case, 1);
    let found = fast_run(case, &inputs);
    let step = 1e-5;
    for (index, found) in found.lists[1..].iter().enumerate() {
        let bound = (case.roundings() as f64 * ROUNDING + 2e-9) * largest(found).max(1.0) + 5e-9;
        for (at, found) in found.iter().enumerate() {
            let start = inputs[index][at];
            let mut loss = |x| {
                inputs[index][at] = x;
                exact_run(case, &inputs).loss
            };
            let expected = (loss(start + step) - loss(start - step)) / (2.0 * step);
            loss(start);
            let off = (found - expected).abs();
            assert!(
                off <= bound,
                "{case:?}, input {index} at {at}: {found} {expected}, bound {bound:e}"
            );
        }
    }
}
