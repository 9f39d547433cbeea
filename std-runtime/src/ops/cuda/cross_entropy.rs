use dfdx::shapes::{HasShape, Rank0};
use dfdx::tensor::{Cuda, CudaError, PutTape, SplitTape, Tape, Tensor};
use dfdx::tensor_ops::ReshapeTo;

use super::context::{Context, fresh};
use super::kernels::{self, add_scaled, mean_loss};
use super::linear::{Factor, Products};
use super::span::{Span, SpanMut};
use crate::ops::fused::linear::Linear;
use crate::ops::fused::product::Mode;
use crate::ops::{Matrix, Precision, Vector};

/// Logits that are held at a time: 64 MiB.
const LOGITS: usize = 1 << 24;

/// Rows of logits that are held at a time, for a vocabulary of `vocab`.
fn block(vocab: usize, rows: usize) -> usize {
    (LOGITS / vocab.max(1)).max(1).next_multiple_of(64).min(rows.max(1))
}

/// [`log_probabilities`](crate::ops::log_probabilities) of the logits `x·Wᵀ`, a block of rows at a
/// time.
///
/// # Errors
/// The device's.
pub fn log_probabilities(
    x: &Matrix<f32, Cuda>,
    head: &Matrix<f32, Cuda>,
    targets: &Tensor<(usize,), usize, Cuda>,
) -> Result<Vector<f32, Cuda>, CudaError> {
    let x = x.clone().try_contiguous()?;
    let context = Context::of(&x)?;
    let mut scores = fresh(x.device(), (x.shape().0,))?;
    let precision = Precision::F32;
    let pass = Pass { context: &context, x: &x, head, targets, share: None, precision };
    pass.each_block(SpanMut::of(&mut scores), |_, _, _, _| Ok(()))?;
    Ok(scores)
}

/// [`cross_entropy`](crate::ops::cross_entropy) of the logits `x·Wᵀ`, a block of rows at a time. Its
/// gradient by `x` and `W` is computed along with it if the tape asks for any.
///
/// # Errors
/// The device's.
pub fn cross_entropy<T: Tape<f32, Cuda>>(
    x: Matrix<f32, Cuda, T>,
    head: &Matrix<f32, Cuda>,
    targets: &Tensor<(usize,), usize, Cuda>,
    precision: Precision,
) -> Result<Tensor<Rank0, f32, Cuda, T>, CudaError> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let context = Context::of(&x)?;
    let head = head.clone();
    let ((rows, width), vocab) = (*x.shape(), head.shape().0);
    let recorded = if T::OWNS_TAPE { (rows * width, vocab * width) } else { (0, 0) };
    let (mut dx, mut dw) = (context.scratch(recorded.0)?, context.scratch(recorded.1)?);
    let mut scores = context.scratch(rows)?;
    let (share, factor) = precision.shares(1.0 / rows as f32);
    let share = T::OWNS_TAPE.then_some(share);
    let pass = Pass { context: &context, x: &x, head: &head, targets, share, precision };
    pass.each_block(SpanMut::from(&mut scores), |first, products, factors, slopes| {
        if !T::OWNS_TAPE {
            return Ok(());
        }
        let slopes = products.factor(slopes)?;
        let [xs, ws] = factors;
        let to = SpanMut::from(&mut dx).after(first * width);
        products.input_slopes(&slopes, ws, to, Mode::Set)?;
        let mode = if first == 0 { Mode::Set } else { Mode::Add };
        products.weight_slopes(&slopes, xs.after(first * width), (&mut dw).into(), mode)
    })?;
    let mut loss = fresh(x.device(), ())?;
    mean_loss(&context, Span::from(&scores), SpanMut::of(&mut loss))?;
    let ghost = loss.ghost();
    tape.add_backward_op(move |slopes| {
        let slope = context.take(slopes.get_or_alloc_mut(&ghost)?)?;
        for (input, gradient) in [(&x, &dx), (&head, &dw)] {
            let sum = slopes.get_or_alloc_mut(input)?;
            add_scaled(&context, (&mut **sum).into(), gradient.into(), &slope, factor)?;
        }
        Ok(())
    });
    Ok(loss.put_tape(tape))
}

/// The logits of all rows, a block at a time.
struct Pass<'a> {
    context: &'a Context,
    x: &'a Matrix<f32, Cuda>,
    head: &'a Matrix<f32, Cuda>,
    targets: &'a Tensor<(usize,), usize, Cuda>,
    /// A row's share in a loss whose derivatives are asked for.
    share: Option<f32>,
    precision: Precision,
}

impl Pass<'_> {
    /// Find the scores, and call `work` for each block of rows with the index of the first one, the products
    /// that give the logits, their factors, and the derivatives by the logits.
    fn each_block(
        &self,
        mut scores: SpanMut<'_>,
        mut work: impl FnMut(usize, Products<'_>, [&Factor<'_>; 2], Span<'_>) -> Result<(), CudaError>,
    ) -> Result<(), CudaError> {
        let Self { context, x, head, targets, share, precision } = *self;
        let ((rows, width), vocab) = (*x.shape(), head.shape().0);
        assert_eq!(targets.shape().0, rows, "sizes of a loss");
        let size = block(vocab, rows);
        let mut logits = context.scratch(size * vocab)?;
        let all = Products { context, linear: Linear::new(rows, width, vocab, precision) };
        let (xs, ws) = (all.factor(Span::of(x))?, all.factor(Span::of(head))?);
        for first in (0..rows).step_by(size) {
            let count = size.min(rows - first);
            let products = Products { linear: Linear { rows: count, ..all.linear }, ..all };
            let to = SpanMut::from(&mut logits);
            products.forward(xs.after(first * width), &ws, to, Mode::Set)?;
            let (targets, scores) =
                (Span::of(targets).after(first), scores.reborrow().after(first));
            let sizes = (count, vocab);
            kernels::cross_entropy(context, (&mut logits).into(), targets, scores, sizes, share)?;
            work(first, products, [&xs, &ws], Span::from(&logits))?;
        }
        Ok(())
    }
}
