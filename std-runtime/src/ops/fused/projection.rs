use dfdx::shapes::HasShape;
use dfdx::tensor::{Cpu, CpuError, PutTape, SplitTape, Tape};

use super::linear::Linear;
use super::product::Mode;
use super::residual::residual_start;
use super::storage::{put, record, take, tensor, values};
use crate::ops::profile::Operation;
use crate::ops::{Matrix, Precision};

/// `residual + x·Wᵀ`: the residual is where the product starts from.
///
/// # Errors
/// The device's.
pub fn project<T: Tape<f32, Cpu>>(
    residual: Option<Matrix<f32, Cpu, T>>,
    x: Matrix<f32, Cpu, T>,
    weight: &Matrix<f32, Cpu>,
    precision: Precision,
) -> Result<Matrix<f32, Cpu, T>, CpuError> {
    let (x, tape) = x.split_tape();
    let weight = weight.clone();
    let ((rows, inputs), (outputs, _)) = (*x.shape(), *weight.shape());
    let (mut y, mode, pass_on, mut tape) = residual_start(residual, rows * outputs, tape);
    let linear = Linear::new(rows, inputs, outputs, precision);
    linear.forward(values(&x), values(&weight), &mut y, mode);
    let y = tensor(x.device(), (rows, outputs), y)?;
    let ghost = y.ghost();
    record(&mut tape, Operation::Projection, move |slopes| {
        let dy = std::mem::take(&mut **slopes.get_or_alloc_mut(&ghost)?);
        let mut dx = take(slopes, &x)?;
        let mut dw = take(slopes, &weight)?;
        linear.input_slopes(&dy, values(&weight), &mut dx, Mode::Add);
        linear.weight_slopes(&dy, values(&x), &mut dw, Mode::Add);
        put(slopes, &x, dx)?;
        put(slopes, &weight, dw)?;
        pass_on(slopes, &dy)
    });
    Ok(y.put_tape(tape))
}
