use dfdx::tensor::{Cpu, CpuError, SplitTape, Tape};

use super::product::Mode;
use super::storage::{Slopes, scratch, values};
use super::vector::{add, vectorised};
use crate::ops::Matrix;

/// Adds the gradient of a result to that of its residual, if there is one.
pub type PassOn = Box<dyn FnOnce(&mut Slopes, &[f32]) -> Result<(), CpuError>>;

/// Where the last product of an operation starts from: `count` numbers and what to do with them, a copy
/// of the rows that the result is added to or numbers to overwrite; then the backward pass of the
/// residual, which gets what the result gets, and the tape that the residual's has joined.
pub fn residual_start<T: Tape<f32, Cpu>>(
    residual: Option<Matrix<f32, Cpu, T>>,
    count: usize,
    tape: T,
) -> (Vec<f32>, Mode, PassOn, T) {
    let (start, mode, ghost, tape) = match residual {
        None => (scratch(count), Mode::Set, None, tape),
        Some(residual) => {
            let (residual, other) = residual.split_tape();
            let start = values(&residual).to_vec();
            (start, Mode::Add, Some(residual.ghost()), other.merge(tape))
        }
    };
    let pass_on: PassOn = Box::new(move |slopes, dy| {
        if let Some(ghost) = ghost {
            let dr = slopes.get_or_alloc_mut(&ghost)?;
            vectorised(
                #[inline(always)]
                || add(dr, dy),
            );
        }
        Ok(())
    });
    (start, mode, pass_on, tape)
}
