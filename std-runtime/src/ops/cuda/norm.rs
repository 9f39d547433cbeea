use dfdx::shapes::HasShape;
use dfdx::tensor::{Cuda, CudaError, PutTape, SplitTape, Tape};
use dfdx::tensor_ops::ReshapeTo;
use expe_core::Norm;

use super::context::{Context, fresh};
use super::kernels::{Normed, norm_backward, norm_forward, norm_gain};
use super::span::{Span, SpanMut};
use crate::ops::{Matrix, Vector};

/// [`rms_norm`](crate::ops::rms_norm) or [`layer_norm`](crate::ops::layer_norm). The derivative
/// computes means and roots again.
///
/// # Errors
/// The device's.
pub fn norm<T: Tape<f32, Cuda>>(
    x: Matrix<f32, Cuda, T>,
    weight: &Vector<f32, Cuda>,
    epsilon: f64,
    norm: Norm,
) -> Result<Matrix<f32, Cuda, T>, CudaError> {
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let context = Context::of(&x)?;
    let weight = weight.clone();
    let kind = Normed { width: x.shape().1, epsilon: epsilon as f32, norm };
    let mut y = fresh(x.device(), *x.shape())?;
    norm_forward(&context, kind, Span::of(&x), Span::of(&weight), SpanMut::of(&mut y))?;
    let ghost = y.ghost();
    tape.add_backward_op(move |slopes| {
        let dy = context.take(slopes.get_or_alloc_mut(&ghost)?)?;
        let dy = Span::from(&dy);
        let dx = slopes.get_or_alloc_mut(&x)?;
        let (x, weights) = (Span::of(&x), Span::of(&weight));
        let kept = norm_backward(&context, kind, x, weights, dy, SpanMut::from(&mut **dx))?;
        let dg = slopes.get_or_alloc_mut(&weight)?;
        norm_gain(&context, x, dy, &kept, SpanMut::from(&mut **dg))
    });
    Ok(y.put_tape(tape))
}
