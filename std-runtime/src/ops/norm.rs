use dfdx::shapes::HasShape;
use dfdx::tensor::{PutTape, SplitTape, Tape};
use dfdx::tensor_ops::ReshapeTo;
use expe_core::Norm;

use super::bridge::record;
use super::kernels::{Kernels, NormKind};
use super::trace::{self, Operation, Pass};
use super::{Matrix, Vector};

/// Normalizes rows, see [`composed::rms_norm`](super::composed::rms_norm) and
/// [`composed::layer_norm`](super::composed::layer_norm).
///
/// The backward pass computes means and roots again.
pub fn norm<D: Kernels, T: Tape<f32, D>>(
    x: Matrix<f32, D, T>,
    weight: &Vector<f32, D>,
    epsilon: f64,
    norm: Norm,
) -> Result<Matrix<f32, D, T>, D::Err> {
    let _span = trace::operation(Operation::Norm, Pass::Forward);
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let queue = D::queue(&x)?;
    let weight = weight.clone();
    let kind = NormKind { width: x.shape().1, epsilon: epsilon as f32, norm };
    let mut y = x.device().output(*x.shape())?;
    D::norm_forward(&queue, kind, D::slice(&x), D::slice(&weight), D::slice_mut(&mut y))?;
    record(&mut tape, &queue.clone(), &y, move |gradients, dy| {
        let _span = trace::operation(Operation::Norm, Pass::Backward);
        gradients.of_both(&x, &weight, |dx, dgain| {
            D::norm_backward(&queue, kind, D::slice(&x), D::slice(&weight), dy, dx, dgain)
        })
    });
    Ok(y.put_tape(tape))
}
