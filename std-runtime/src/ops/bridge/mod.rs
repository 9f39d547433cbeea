#![doc = include_str!("README.md")]

#[cfg(feature = "cuda")]
pub mod cuda;
mod error;
mod gradients;
pub mod host;
mod tensor;

use std::fmt::Debug;

use dfdx::shapes::Shape;
use dfdx::tensor::{CopySlice, Storage, Tensor, ZerosTensor};
use dfdx::tensor_ops::Device;

pub(crate) use error::is_out_of_memory;
pub use error::{DeviceError, Library, Version};
pub use gradients::{Ghost, Gradients, record};
pub use tensor::{scalar, tensor};

use super::Matrix;

/// The memory behind a gradient or a moment of dfdx.
pub type Stored<D> = <D as Storage<f32>>::Vec;

/// A run of numbers whose beginning can be left out.
pub trait Skip {
    /// Leaves out the first `count` elements.
    #[must_use]
    fn skip(self, count: usize) -> Self;
}

/// A dfdx device whose tensors, gradients, and buffers are plain runs of `f32` in its memory.
///
/// Kernels see nothing but these runs, so what they do does not depend on dfdx.
pub trait Bridge: Device<f32> + ZerosTensor<usize> + CopySlice<usize> {
    /// What kernels are run on: nothing on the host, stream, modules, and cuBLAS on a GPU.
    type Queue: Clone + 'static;
    /// Numbers to read.
    type Slice<'a>: Copy + Skip;
    /// Numbers to write.
    type SliceMut<'a>: Skip;
    /// Token indices.
    type Indices<'a>: Copy + Skip;
    /// Numbers that an operation owns.
    type Buffer: Debug + 'static;
    /// Numbers that were rounded to `f16`, in the form that products read.
    type HalfBuffer: Debug + 'static;
    /// Rounded numbers to read.
    type HalfSlice<'a>: Copy + Skip;
    /// A gradient that was taken out of a backward pass.
    type Gradient: 'static;

    /// Returns the queue of the device that holds `tensor`.
    ///
    /// # Errors
    /// The driver's, when it is used for the first time.
    fn queue<S: Shape>(tensor: &Tensor<S, f32, Self>) -> Result<Self::Queue, Self::Err>;

    /// Returns the queue of the device that holds `stored`.
    ///
    /// # Errors
    /// As [`queue`](Self::queue).
    fn queue_of(stored: &Stored<Self>) -> Result<Self::Queue, Self::Err>;

    /// Borrows the elements of a row-major tensor.
    ///
    /// # Panics
    /// If the tensor is a transposed or broadcast view.
    fn slice<S: Shape>(tensor: &Tensor<S, f32, Self>) -> Self::Slice<'_>;

    /// Borrows the elements of a row-major tensor that shares them with no other tensor.
    ///
    /// # Panics
    /// As [`slice`](Self::slice).
    fn slice_mut<S: Shape>(tensor: &mut Tensor<S, f32, Self>) -> Self::SliceMut<'_>;

    /// Borrows the elements of a row-major index tensor.
    ///
    /// # Panics
    /// As [`slice`](Self::slice).
    fn indices(tensor: &Tensor<(usize,), usize, Self>) -> Self::Indices<'_>;

    /// Borrows a gradient or a moment.
    fn stored(stored: &Stored<Self>) -> Self::Slice<'_>;

    /// Borrows a gradient or a moment to write to.
    fn stored_mut(stored: &mut Stored<Self>) -> Self::SliceMut<'_>;

    /// Borrows a slice for a shorter time.
    fn reborrow<'a>(slice: &'a mut Self::SliceMut<'_>) -> Self::SliceMut<'a>;

    /// Shortens the time that a slice is borrowed for.
    fn shorten<'a, 'b: 'a>(slice: Self::Slice<'b>) -> Self::Slice<'a>;

    /// Borrows a slice to read it.
    fn as_slice<'a>(slice: &'a Self::SliceMut<'_>) -> Self::Slice<'a>;

    /// Allocates `count` numbers of any value.
    fn scratch(queue: &Self::Queue, count: usize) -> Result<Self::Buffer, Self::Err>;

    /// Borrows a buffer.
    fn read(buffer: &Self::Buffer) -> Self::Slice<'_>;

    /// Borrows a buffer to write to.
    fn write(buffer: &mut Self::Buffer) -> Self::SliceMut<'_>;

    /// Borrows rounded numbers.
    fn read_half(buffer: &Self::HalfBuffer) -> Self::HalfSlice<'_>;

    /// Allocates a tensor whose elements are all about to be written.
    fn output<S: Shape>(&self, shape: S) -> Result<Tensor<S, f32, Self>, Self::Err>;

    /// Copies a row-major matrix.
    fn copied(
        queue: &Self::Queue,
        matrix: &Matrix<f32, Self>,
    ) -> Result<Matrix<f32, Self>, Self::Err>;

    /// Takes the numbers out of a gradient, so that they are freed once they are used. What is left is of
    /// no use.
    fn take(queue: &Self::Queue, stored: &mut Stored<Self>) -> Result<Self::Gradient, Self::Err>;

    /// Borrows a gradient that was taken.
    fn gradient(gradient: &Self::Gradient) -> Self::Slice<'_>;

    /// Calls `work` with two gradients of one backward pass.
    ///
    /// # Errors
    /// The device's, when memory runs out, and those of `work`.
    ///
    /// # Panics
    /// If both are the same.
    fn two_gradients<A: Shape, B: Shape, R>(
        all: &mut dfdx::tensor::Gradients<f32, Self>,
        a: &Tensor<A, f32, Self>,
        b: &Tensor<B, f32, Self>,
        work: impl FnOnce(Self::SliceMut<'_>, Self::SliceMut<'_>) -> Result<R, Self::Err>,
    ) -> Result<R, Self::Err>;

    /// Creates an index tensor; the device may still be at work on something else when this returns.
    fn upload_indices(
        &self,
        indices: Vec<usize>,
    ) -> Result<Tensor<(usize,), usize, Self>, Self::Err>;

    /// Copies a gradient or a moment to the host.
    fn download(&self, stored: &Stored<Self>) -> Result<Vec<f32>, Self::Err>;

    /// Copies `values` into a gradient or a moment of the same length.
    fn overwrite(&self, stored: &mut Stored<Self>, values: &[f32]) -> Result<(), Self::Err>;
}
