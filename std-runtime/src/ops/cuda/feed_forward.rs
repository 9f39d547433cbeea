use cudarc::driver::CudaSlice;
use dfdx::shapes::HasShape;
use dfdx::tensor::{Cuda, CudaError, PutTape, SplitTape, Tape};
use dfdx::tensor_ops::ReshapeTo;

use super::context::Context;
use super::kernels::{activate, differentiate};
use super::linear::Products;
use super::residual::residual_start;
use super::span::{Span, SpanMut};
use crate::ops::fused::linear::Linear;
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
    let (activation, precision) = (weights.activation, weights.precision);
    let wide = Linear::new(rows, width, hidden, precision);
    let narrow = Linear::new(rows, hidden, width, precision);
    let products = Products { context: &context, linear: wide };
    let xs = products.factor(Span::of(&x))?;
    let inner = |w: &Matrix<f32, Cuda>| -> Result<CudaSlice<f32>, CudaError> {
        let mut inner = context.scratch(count)?;
        products.forward(&xs, &products.factor(Span::of(w))?, (&mut inner).into(), Mode::Set)?;
        Ok(inner)
    };
    let inputs = inner(&w1)?;
    let gates = w3.as_ref().map(inner).transpose()?;
    drop(xs);
    let mut active = context.scratch(count)?;
    activate(&context, activation, &inputs, gates.as_ref(), &mut active, count)?;
    let (actives, ws) = (products.factor(Span::from(&active))?, products.factor(Span::of(&w2))?);
    Products { linear: narrow, ..products }.forward(&actives, &ws, SpanMut::of(&mut y), mode)?;
    drop((actives, ws));
    drop(active);
    let ghost = y.ghost();
    tape.add_backward_op(move |slopes| {
        let dy = context.take(slopes.get_or_alloc_mut(&ghost)?)?;
        let (mut inputs, mut gates) = (inputs, gates);
        let products = Products { context: &context, linear: narrow };
        let dys = products.factor(Span::from(&dy))?;
        let mut slope = context.scratch(count)?;
        products.input_slopes(
            &dys,
            &products.factor(Span::of(&w2))?,
            (&mut slope).into(),
            Mode::Set,
        )?;
        differentiate(&context, activation, &mut inputs, gates.as_mut(), &mut slope, count)?;
        // `slope` holds the activations now, `inputs` and `gates` their derivatives.
        let dw2 = slopes.get_or_alloc_mut(&w2)?;
        let actives = products.factor(Span::from(&slope))?;
        products.weight_slopes(&dys, &actives, (&mut **dw2).into(), Mode::Add)?;
        drop((dys, actives));
        drop(slope);
        let products = Products { linear: wide, ..products };
        let xs = products.factor(Span::of(&x))?;
        for (w, inner) in [(Some(&w1), Some(&inputs)), (w3.as_ref(), gates.as_ref())] {
            let (Some(w), Some(inner)) = (w, inner) else { continue };
            let inner = products.factor(Span::from(inner))?;
            let dx = slopes.get_or_alloc_mut(&x)?;
            products.input_slopes(
                &inner,
                &products.factor(Span::of(w))?,
                (&mut **dx).into(),
                Mode::Add,
            )?;
            let dw = slopes.get_or_alloc_mut(w)?;
            products.weight_slopes(&inner, &xs, (&mut **dw).into(), Mode::Add)?;
        }
        pass_on(slopes, &dy)
    });
    Ok(y.put_tape(tape))
}
