use crate::kernels::Inputs;
use crate::shape::TensorId;

/// Sees the numbers of a forward pass, each with the name of the tensor that it meets. `R` is the
/// arithmetic's scalar.
///
/// `()` sees nothing.
pub trait Observe<R> {
    /// Called with each row of the residual stream before it is normalized.
    fn residual(&mut self, row: &[R]) {
        let _ = row;
    }

    /// Called with the inputs of the matrix `tensor` before it is applied.
    fn inputs(&mut self, tensor: TensorId, inputs: Inputs<'_, R>) {
        let _ = (tensor, inputs);
    }
}

impl<R> Observe<R> for () {}
