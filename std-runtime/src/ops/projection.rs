use dfdx::shapes::HasShape;
use dfdx::tensor::{PutTape, SplitTape, Tape};
use dfdx::tensor_ops::ReshapeTo;

use super::Matrix;
use super::bridge::record;
use super::kernels::Kernels;
use super::linear::{Factors, Linear};
use super::residual::Destination;
use super::trace::{self, Operation, Pass};
use super::view::Mode;
use crate::config::Precision;

/// Computes `residual + x·Wᵀ`; the product is added to a copy of the residual.
pub fn project<D: Kernels, T: Tape<f32, D>>(
    residual: Option<Matrix<f32, D, T>>,
    x: Matrix<f32, D, T>,
    weight: &Matrix<f32, D>,
    precision: Precision,
) -> Result<Matrix<f32, D, T>, D::Err> {
    let _span = trace::operation(Operation::Projection, Pass::Forward);
    let (x, tape) = x.try_contiguous()?.split_tape();
    let queue = D::queue(&x)?;
    let weight = weight.clone();
    let ((rows, inputs), (outputs, _)) = (*x.shape(), *weight.shape());
    let linear = Linear::new(rows, inputs, outputs);
    let (mut to, mut tape) = Destination::new(&queue, residual, &x, (rows, outputs), tape)?;
    {
        let factors = Factors::<D>::new(&queue, precision);
        let (xs, ws) = (factors.of(D::slice(&x))?, factors.of(D::slice(&weight))?);
        linear.forward(&queue, xs.all(), ws.all(), D::slice_mut(&mut to.matrix), to.mode)?;
    }
    let (y, residual) = to.finish();
    record(&mut tape, &queue.clone(), &y, move |gradients, dy| {
        let _span = trace::operation(Operation::Projection, Pass::Backward);
        let factors = Factors::<D>::new(&queue, precision);
        let (dys, ws) = (factors.of(dy)?, factors.of(D::slice(&weight))?);
        linear.input_gradient(&queue, dys.all(), ws.all(), gradients.of(&x)?, Mode::Add)?;
        drop(ws);
        let xs = factors.of(D::slice(&x))?;
        linear.weight_gradient(&queue, dys.all(), xs.all(), gradients.of(&weight)?, Mode::Add)?;
        residual.backward(&queue, gradients, dy)
    });
    Ok(y.put_tape(tape))
}
