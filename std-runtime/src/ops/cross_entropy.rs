use dfdx::shapes::{HasShape, Rank0};
use dfdx::tensor::{PutTape, SplitTape, Tape, Tensor};
use dfdx::tensor_ops::ReshapeTo;

use super::bridge::{Skip, record};
use super::kernels::Kernels;
use super::linear::{Factor, Factors, Linear};
use super::trace::{self, Operation, Pass};
use super::view::Mode;
use super::{Matrix, Vector};
use crate::config::Precision;

/// Computes [`composed::log_probabilities`](super::composed::log_probabilities) of the logits `x·headᵀ`, a block
/// of rows at a time.
pub fn log_probabilities<D: Kernels>(
    x: &Matrix<f32, D>,
    head: &Matrix<f32, D>,
    targets: &Tensor<(usize,), usize, D>,
) -> Result<Vector<f32, D>, D::Err> {
    let x = x.clone().try_contiguous()?;
    let queue = D::queue(&x)?;
    let (rows, vocab) = (x.shape().0, head.shape().0);
    let mut result = x.device().output((rows,))?;
    {
        let mut scores = D::slice_mut(&mut result);
        let blocks = Logits { queue: &queue, x: &x, head, precision: Precision::F32 };
        blocks.each(|block, _| {
            let Block { first, linear, logits } = block;
            let targets = D::indices(targets).skip(first);
            let scores = D::reborrow(&mut scores).skip(first);
            D::log_probabilities(&queue, (linear.rows, vocab), logits, targets, scores)
        })?;
    }
    Ok(result)
}

/// Computes [`composed::cross_entropy`](super::composed::cross_entropy) of the logits `x·headᵀ`, a block of
/// rows at a time. The gradients of `x` and `head` are computed along with it if the tape asks for any.
pub fn cross_entropy<D: Kernels, T: Tape<f32, D>>(
    x: Matrix<f32, D, T>,
    head: &Matrix<f32, D>,
    targets: &Tensor<(usize,), usize, D>,
    precision: Precision,
) -> Result<Tensor<Rank0, f32, D, T>, D::Err> {
    let _span = trace::operation(Operation::CrossEntropy, Pass::Forward);
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let queue = D::queue(&x)?;
    let head = head.clone();
    let ((rows, width), vocab) = (*x.shape(), head.shape().0);
    assert_eq!(targets.shape().0, rows, "sizes of a loss");
    let (of_x, of_head) = if T::OWNS_TAPE { (rows * width, vocab * width) } else { (0, 0) };
    let (mut dx, mut dhead) = (D::scratch(&queue, of_x)?, D::scratch(&queue, of_head)?);
    let mut losses = D::losses(&queue, rows)?;
    let (share, factor) = shares(precision, 1.0 / rows as f32);
    let share = T::OWNS_TAPE.then_some(share);
    let blocks = Logits { queue: &queue, x: &x, head: &head, precision };
    blocks.each(|block, [xs, heads]| {
        let Block { first, linear, mut logits } = block;
        let sizes = (first, linear.rows, vocab);
        let targets = D::indices(targets).skip(first);
        let to = D::reborrow(&mut logits);
        D::cross_entropy(&queue, sizes, to, targets, share, &mut losses)?;
        if !T::OWNS_TAPE {
            return Ok(());
        }
        let dlogits = Factors::<D>::new(&queue, precision).of(D::as_slice(&logits))?;
        let to = D::write(&mut dx).skip(first * width);
        linear.input_gradient(&queue, dlogits.all(), heads.all(), to, Mode::Set)?;
        let mode = if first == 0 { Mode::Set } else { Mode::Add };
        let xs = xs.skip(first * width);
        linear.weight_gradient(&queue, dlogits.all(), xs, D::write(&mut dhead), mode)
    })?;
    let mut loss = x.device().output(())?;
    D::mean_loss(&queue, rows, &losses, D::slice_mut(&mut loss))?;
    record(&mut tape, &queue.clone(), &loss, move |gradients, dloss| {
        let _span = trace::operation(Operation::CrossEntropy, Pass::Backward);
        for (input, gradient) in [(&x, &dx), (&head, &dhead)] {
            let sum = gradients.of(input)?;
            D::add_scaled(&queue, sum, D::read(gradient), dloss, factor)?;
        }
        Ok(())
    });
    Ok(loss.put_tape(tape))
}

/// Returns what the gradients of a row's logits, which lie between −1 and 1 times the row's `share` in the loss,
/// are multiplied by instead of `share` while they are factors of products, and what the products are to be
/// multiplied by then. Rounded gradients use the range of `f16` whatever the share and the scale of the loss
/// are.
fn shares(precision: Precision, share: f32) -> (f32, f32) {
    const LARGEST: f32 = 16384.0;
    match precision {
        Precision::F32 => (share, 1.0),
        Precision::Mixed => (LARGEST, share / LARGEST),
    }
}

/// The logits of all rows, a block of rows at a time.
struct Logits<'a, D: Kernels> {
    queue: &'a D::Queue,
    x: &'a Matrix<f32, D>,
    head: &'a Matrix<f32, D>,
    precision: Precision,
}

/// A block of logits.
struct Block<'a, D: Kernels> {
    /// The index of its first row.
    first: usize,
    /// The product that gives it.
    linear: Linear,
    /// Its rows.
    logits: D::SliceMut<'a>,
}

impl<D: Kernels> Logits<'_, D> {
    /// Calls `work` with each block, and the factors `x` and `head` of all blocks.
    fn each(
        &self,
        mut work: impl FnMut(Block<'_, D>, [&Factor<'_, D>; 2]) -> Result<(), D::Err>,
    ) -> Result<(), D::Err> {
        let Self { queue, x, head, precision } = *self;
        let ((rows, width), vocab) = (*x.shape(), head.shape().0);
        let size = D::logit_rows(vocab, rows);
        let mut buffer = D::scratch(queue, size * vocab)?;
        let factors = Factors::<D>::new(queue, precision);
        let (xs, heads) = (factors.of(D::slice(x))?, factors.of(D::slice(head))?);
        for first in (0..rows).step_by(size) {
            let linear = Linear::new(size.min(rows - first), width, vocab);
            let to = D::write(&mut buffer);
            linear.forward(queue, xs.skip(first * width), heads.all(), to, Mode::Set)?;
            let logits = D::write(&mut buffer);
            work(Block { first, linear, logits }, [&xs, &heads])?;
        }
        Ok(())
    }
}
