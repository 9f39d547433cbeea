use dfdx::shapes::HasShape;
use dfdx::tensor::{Cpu, CpuError, PutTape, SplitTape, Tape};

use super::product::{Mode, View, ViewMut, multiply};
use super::residual::residual_start;
use super::storage::{put, take, tensor, values};
use crate::ops::Matrix;

/// `residual + x·Wᵀ`: the residual is where the product starts from.
///
/// # Errors
/// The device's.
pub fn project<T: Tape<f32, Cpu>>(
    residual: Option<Matrix<f32, Cpu, T>>,
    x: Matrix<f32, Cpu, T>,
    weight: &Matrix<f32, Cpu>,
) -> Result<Matrix<f32, Cpu, T>, CpuError> {
    let (x, tape) = x.split_tape();
    let weight = weight.clone();
    let ((rows, inputs), (outputs, _)) = (*x.shape(), *weight.shape());
    let (mut y, mode, pass_on, mut tape) = residual_start(residual, rows * outputs, tape);
    multiply(
        ViewMut::new(&mut y, rows, outputs, outputs),
        mode,
        1.0,
        View::new(values(&x), rows, inputs, inputs),
        View::new(values(&weight), outputs, inputs, inputs).transposed(),
    );
    let y = tensor(x.device(), (rows, outputs), y)?;
    let ghost = y.ghost();
    tape.add_backward_op(move |slopes| {
        let dy = std::mem::take(&mut **slopes.get_or_alloc_mut(&ghost)?);
        let mut dx = take(slopes, &x)?;
        let mut dw = take(slopes, &weight)?;
        let dys = View::new(&dy, rows, outputs, outputs);
        multiply(
            ViewMut::new(&mut dx, rows, inputs, inputs),
            Mode::Add,
            1.0,
            dys,
            View::new(values(&weight), outputs, inputs, inputs),
        );
        multiply(
            ViewMut::new(&mut dw, outputs, inputs, inputs),
            Mode::Add,
            1.0,
            dys.transposed(),
            View::new(values(&x), rows, inputs, inputs),
        );
        put(slopes, &x, dx)?;
        put(slopes, &weight, dw)?;
        pass_on(slopes, &dy)
    });
    Ok(y.put_tape(tape))
}
