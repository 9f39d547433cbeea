use cudarc::driver::CudaSlice;
use dfdx::shapes::HasShape;
use dfdx::tensor::{Cuda, CudaError, SplitTape, Tape};
use dfdx::tensor_ops::ReshapeTo;

use super::Slopes;
use super::context::{Context, fresh};
use super::kernels::add;
use super::span::{Span, SpanMut};
use crate::ops::Matrix;
use crate::ops::fused::product::Mode;

/// Adds the gradient of a result to that of its residual, if there is one.
pub type PassOn = Box<dyn FnOnce(&mut Slopes, &CudaSlice<f32>) -> Result<(), CudaError>>;

/// Where the last product of an operation starts from: rows of `width`, and what to do with them, a copy of the
/// rows that the result is added to or rows to overwrite; then the backward pass of the residual, which gets
/// what the result gets, and the tape that the residual's has joined.
///
/// # Errors
/// The device's.
pub fn residual_start<T: Tape<f32, Cuda>>(
    context: &std::sync::Arc<Context>,
    residual: Option<Matrix<f32, Cuda, T>>,
    device: &Cuda,
    shape: (usize, usize),
    tape: T,
) -> Result<(Matrix<f32, Cuda>, Mode, PassOn, T), CudaError> {
    let mut start = fresh(device, shape)?;
    let (mode, ghost, tape) = match residual {
        None => (Mode::Set, None, tape),
        Some(residual) => {
            let (residual, other) = residual.try_contiguous()?.split_tape();
            assert_eq!(*residual.shape(), shape, "sizes of a residual");
            context.copy(SpanMut::of(&mut start), Span::of(&residual))?;
            (Mode::Add, Some(residual.ghost()), other.merge(tape))
        }
    };
    let context = context.clone();
    let pass_on: PassOn = Box::new(move |slopes, dy| match ghost {
        Some(ghost) => {
            let dr = slopes.get_or_alloc_mut(&ghost)?;
            add(&context, SpanMut::from(&mut **dr), Span::from(dy))
        }
        None => Ok(()),
    });
    Ok((start, mode, pass_on, tape))
}
