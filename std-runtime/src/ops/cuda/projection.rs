use dfdx::shapes::HasShape;
use dfdx::tensor::{Cuda, CudaError, PutTape, SplitTape, Tape};
use dfdx::tensor_ops::ReshapeTo;

use super::context::Context;
use super::linear::Products;
use super::residual::residual_start;
use super::span::{Span, SpanMut};
use crate::ops::fused::linear::Linear;
use crate::ops::fused::product::Mode;
use crate::ops::{Matrix, Precision};

/// `residual + x·Wᵀ`: the residual is where the product starts from.
///
/// # Errors
/// The device's.
pub fn project<T: Tape<f32, Cuda>>(
    residual: Option<Matrix<f32, Cuda, T>>,
    x: Matrix<f32, Cuda, T>,
    weight: &Matrix<f32, Cuda>,
    precision: Precision,
) -> Result<Matrix<f32, Cuda, T>, CudaError> {
    let (x, tape) = x.try_contiguous()?.split_tape();
    let context = Context::of(&x)?;
    let weight = weight.clone();
    let ((rows, inputs), (outputs, _)) = (*x.shape(), *weight.shape());
    let linear = Linear::new(rows, inputs, outputs, precision);
    let (mut y, mode, pass_on, mut tape) =
        residual_start(&context, residual, x.device(), (rows, outputs), tape)?;
    let products = Products { context: &context, linear };
    let (xs, ws) = (products.factor(Span::of(&x))?, products.factor(Span::of(&weight))?);
    products.forward(&xs, &ws, SpanMut::of(&mut y), mode)?;
    drop((xs, ws));
    let ghost = y.ghost();
    tape.add_backward_op(move |slopes| {
        let dy = context.take(slopes.get_or_alloc_mut(&ghost)?)?;
        let products = Products { context: &context, linear };
        let dys = products.factor(Span::from(&dy))?;
        let dx = slopes.get_or_alloc_mut(&x)?;
        products.input_slopes(
            &dys,
            &products.factor(Span::of(&weight))?,
            (&mut **dx).into(),
            Mode::Add,
        )?;
        let dw = slopes.get_or_alloc_mut(&weight)?;
        products.weight_slopes(
            &dys,
            &products.factor(Span::of(&x))?,
            (&mut **dw).into(),
            Mode::Add,
        )?;
        pass_on(slopes, &dy)
    });
    Ok(y.put_tape(tape))
}
