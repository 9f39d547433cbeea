use dfdx::shapes::Shape;
use dfdx::tensor::{Gradients as All, Tape, Tensor};

use super::{Bridge, Stored};

/// The gradients of a backward pass, as an operation sees them.
#[derive(Debug)]
pub struct Gradients<'a, D: Bridge>(&'a mut All<f32, D>);

impl<D: Bridge> Gradients<'_, D> {
    /// Borrows the gradient of `tensor`, which is zero before the first operation adds to it.
    pub fn of<S: Shape>(&mut self, tensor: &Tensor<S, f32, D>) -> Result<D::SliceMut<'_>, D::Err> {
        Ok(D::stored_mut(self.0.get_or_alloc_mut(tensor)?))
    }

    /// Calls `work` with the gradients of two tensors.
    ///
    /// # Errors
    /// The device's, when memory runs out, and those of `work`.
    ///
    /// # Panics
    /// If both tensors are the same.
    pub fn of_both<A: Shape, B: Shape, R>(
        &mut self,
        a: &Tensor<A, f32, D>,
        b: &Tensor<B, f32, D>,
        work: impl FnOnce(D::SliceMut<'_>, D::SliceMut<'_>) -> Result<R, D::Err>,
    ) -> Result<R, D::Err> {
        D::two_gradients(self.0, a, b, work)
    }

    /// Borrows the gradient of a tensor that may be gone.
    pub fn of_ghost(&mut self, ghost: &Ghost<D>) -> Result<D::SliceMut<'_>, D::Err> {
        Ok(D::stored_mut((ghost.0)(self.0)?))
    }
}

type Find<D> = dyn for<'g> Fn(
    &'g mut All<f32, D>,
) -> Result<&'g mut Stored<D>, <D as dfdx::tensor::HasErr>::Err>;

/// A tensor without its elements: enough to find its gradient.
///
/// dfdx's own type of this kind cannot be named outside of dfdx.
pub struct Ghost<D: Bridge>(Box<Find<D>>);

impl<D: Bridge> std::fmt::Debug for Ghost<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ghost")
    }
}

impl<D: Bridge> Ghost<D> {
    /// Remembers `tensor`.
    pub fn new<S: Shape, T>(tensor: &Tensor<S, f32, D, T>) -> Self {
        let ghost = tensor.ghost();
        Self(Box::new(move |all| all.get_or_alloc_mut(&ghost)))
    }
}

/// Records the backward pass of the operation that computed `output`. `backward` gets the gradient of
/// `output` and adds to the gradients of the operation's inputs.
pub fn record<S: Shape, D: Bridge, T: Tape<f32, D>>(
    tape: &mut T,
    queue: &D::Queue,
    output: &Tensor<S, f32, D>,
    backward: impl FnOnce(&mut Gradients<'_, D>, D::Slice<'_>) -> Result<(), D::Err> + 'static,
) {
    let (queue, ghost) = (queue.clone(), output.ghost());
    tape.add_backward_op(move |all| {
        let gradient = D::take(&queue, all.get_or_alloc_mut(&ghost)?)?;
        backward(&mut Gradients(all), D::gradient(&gradient))
    });
}
