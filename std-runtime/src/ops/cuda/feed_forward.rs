use cudarc::driver::CudaSlice;
use dfdx::shapes::HasShape;
use dfdx::tensor::{Cuda, CudaError, PutTape, SplitTape, Tape};
use dfdx::tensor_ops::ReshapeTo;

use super::context::Context;
use super::kernels::{activate, differentiate};
use super::product::{View, ViewMut, multiply};
use super::residual::residual_start;
use super::span::{Span, SpanMut};
use crate::ops::fused::product::Mode;
use crate::ops::{FeedForward, Matrix};

/// `residual + w2·act(w1·x)`, or `residual + w2·(silu(w1·x) ⊙ w3·x)`.
///
/// What the tape keeps are the inputs of the activation; its results are computed again.
///
/// # Errors
/// The device's.
pub fn feed_forward<T: Tape<f32, Cuda>>(
    residual: Option<Matrix<f32, Cuda, T>>,
    x: Matrix<f32, Cuda, T>,
    weights: &FeedForward<'_, f32, Cuda>,
) -> Result<Matrix<f32, Cuda, T>, CudaError> {
    let (x, tape) = x.try_contiguous()?.split_tape();
    let context = Context::of(&x)?;
    let (rows, width) = *x.shape();
    let hidden = weights.w1.shape().0;
    let count = rows * hidden;
    let (mut y, mode, pass_on, mut tape) =
        residual_start(&context, residual, x.device(), (rows, width), tape)?;
    let (w1, w2, w3) = (weights.w1.clone(), weights.w2.clone(), weights.w3.cloned());
    let activation = weights.activation;
    let inner = |w: &Matrix<f32, Cuda>| -> Result<CudaSlice<f32>, CudaError> {
        let mut inner = context.scratch(count)?;
        multiply(
            &context,
            ViewMut::new(&mut inner, rows, hidden, hidden),
            Mode::Set,
            View::new(Span::of(&x), rows, width, width),
            View::new(Span::of(w), hidden, width, width).transposed(),
        )?;
        Ok(inner)
    };
    let inputs = inner(&w1)?;
    let gates = w3.as_ref().map(inner).transpose()?;
    let mut active = context.scratch(count)?;
    activate(&context, activation, &inputs, gates.as_ref(), &mut active, count)?;
    multiply(
        &context,
        ViewMut::new(SpanMut::of(&mut y), rows, width, width),
        mode,
        View::new(&active, rows, hidden, hidden),
        View::new(Span::of(&w2), width, hidden, hidden).transposed(),
    )?;
    drop(active);
    let ghost = y.ghost();
    tape.add_backward_op(move |slopes| {
        let dy = context.take(slopes.get_or_alloc_mut(&ghost)?)?;
        let (mut inputs, mut gates) = (inputs, gates);
        let dys = View::new(&dy, rows, width, width);
        let mut slope = context.scratch(count)?;
        multiply(
            &context,
            ViewMut::new(&mut slope, rows, hidden, hidden),
            Mode::Set,
            dys,
            View::new(Span::of(&w2), width, hidden, hidden),
        )?;
        differentiate(&context, activation, &mut inputs, gates.as_mut(), &mut slope, count)?;
        // `slope` holds the activations now, `inputs` and `gates` their derivatives.
        let dw2 = slopes.get_or_alloc_mut(&w2)?;
        multiply(
            &context,
            ViewMut::new(&mut **dw2, width, hidden, hidden),
            Mode::Add,
            dys.transposed(),
            View::new(&slope, rows, hidden, hidden),
        )?;
        drop(slope);
        for (w, inner) in [(Some(&w1), Some(&inputs)), (w3.as_ref(), gates.as_ref())] {
            let (Some(w), Some(inner)) = (w, inner) else { continue };
            let inner = View::new(inner, rows, hidden, hidden);
            let dx = slopes.get_or_alloc_mut(&x)?;
            multiply(
                &context,
                ViewMut::new(&mut **dx, rows, width, width),
                Mode::Add,
                inner,
                View::new(Span::of(w), hidden, width, width),
            )?;
            let dw = slopes.get_or_alloc_mut(w)?;
            multiply(
                &context,
                ViewMut::new(&mut **dw, hidden, width, width),
                Mode::Add,
                inner.transposed(),
                View::new(Span::of(&x), rows, width, width),
            )?;
        }
        pass_on(slopes, &dy)
    });
    Ok(y.put_tape(tape))
}
