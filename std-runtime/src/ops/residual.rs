use dfdx::shapes::HasShape;
use dfdx::tensor::{SplitTape, Tape};
use dfdx::tensor_ops::ReshapeTo;

use super::Matrix;
use super::bridge::{Ghost, Gradients};
use super::kernels::Kernels;
use super::view::Mode;

/// The matrix that the last product of an operation writes, or adds to a residual.
pub struct Destination<D: Kernels> {
    /// A copy of the residual, or a matrix to overwrite.
    pub matrix: Matrix<f32, D>,
    /// What the product does to it.
    pub mode: Mode,
    residual: Option<Ghost<D>>,
}

impl<D: Kernels> Destination<D> {
    /// Starts from `residual`, or with a matrix of `shape` on the device of `x`. Returns the tape that the
    /// residual's has joined as well.
    ///
    /// # Errors
    /// The device's, when memory runs out.
    ///
    /// # Panics
    /// If the residual has another shape.
    pub fn new<T: Tape<f32, D>>(
        queue: &D::Queue,
        residual: Option<Matrix<f32, D, T>>,
        x: &Matrix<f32, D>,
        shape: (usize, usize),
        tape: T,
    ) -> Result<(Self, T), D::Err> {
        match residual {
            None => {
                let matrix = x.device().output(shape)?;
                Ok((Self { matrix, mode: Mode::Set, residual: None }, tape))
            }
            Some(residual) => {
                let (residual, other) = residual.try_contiguous()?.split_tape();
                assert_eq!(*residual.shape(), shape, "sizes of a residual");
                let matrix = D::copied(queue, &residual)?;
                let residual = Some(Ghost::new(&residual));
                Ok((Self { matrix, mode: Mode::Add, residual }, other.merge(tape)))
            }
        }
    }

    /// Separates the result from the backward pass of the residual.
    pub fn finish(self) -> (Matrix<f32, D>, Residual<D>) {
        (self.matrix, Residual(self.residual))
    }
}

/// The residual of a result, if it has one.
pub struct Residual<D: Kernels>(Option<Ghost<D>>);

impl<D: Kernels> Residual<D> {
    /// Adds the gradient of the result to that of the residual.
    pub fn backward(
        &self,
        queue: &D::Queue,
        gradients: &mut Gradients<'_, D>,
        dy: D::Slice<'_>,
    ) -> Result<(), D::Err> {
        match &self.0 {
            Some(residual) => D::add(queue, gradients.of_ghost(residual)?, dy),
            None => Ok(()),
        }
    }
}
