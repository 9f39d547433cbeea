use dfdx::shapes::HasShape;
use dfdx::tensor::{Cuda, CudaError, PutTape, SplitTape, Tape};
use dfdx::tensor_ops::ReshapeTo;

use super::context::Context;
use super::product::{View, ViewMut, multiply};
use super::residual::residual_start;
use super::span::{Span, SpanMut};
use crate::ops::Matrix;
use crate::ops::fused::product::Mode;

/// `residual + x·Wᵀ`: the residual is where the product starts from.
///
/// # Errors
/// The device's.
pub fn project<T: Tape<f32, Cuda>>(
    residual: Option<Matrix<f32, Cuda, T>>,
    x: Matrix<f32, Cuda, T>,
    weight: &Matrix<f32, Cuda>,
) -> Result<Matrix<f32, Cuda, T>, CudaError> {
    let (x, tape) = x.try_contiguous()?.split_tape();
    let context = Context::of(&x)?;
    let weight = weight.clone();
    let ((rows, inputs), (outputs, _)) = (*x.shape(), *weight.shape());
    let (mut y, mode, pass_on, mut tape) =
        residual_start(&context, residual, x.device(), (rows, outputs), tape)?;
    multiply(
        &context,
        ViewMut::new(SpanMut::of(&mut y), rows, outputs, outputs),
        mode,
        View::new(Span::of(&x), rows, inputs, inputs),
        View::new(Span::of(&weight), outputs, inputs, inputs).transposed(),
    )?;
    let ghost = y.ghost();
    tape.add_backward_op(move |slopes| {
        let dy = context.take(slopes.get_or_alloc_mut(&ghost)?)?;
        let dys = View::new(&dy, rows, outputs, outputs);
        let dx = slopes.get_or_alloc_mut(&x)?;
        multiply(
            &context,
            ViewMut::new(&mut **dx, rows, inputs, inputs),
            Mode::Add,
            dys,
            View::new(Span::of(&weight), outputs, inputs, inputs),
        )?;
        let dw = slopes.get_or_alloc_mut(&weight)?;
        multiply(
            &context,
            ViewMut::new(&mut **dw, outputs, inputs, inputs),
            Mode::Add,
            dys.transposed(),
            View::new(Span::of(&x), rows, inputs, inputs),
        )?;
        pass_on(slopes, &dy)
    });
    Ok(y.put_tape(tape))
}
