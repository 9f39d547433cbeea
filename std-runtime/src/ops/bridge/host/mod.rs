//! The processor's memory: slices of dfdx's vectors, and buffers that a thread uses again.

mod buffer;
mod storage;

pub use buffer::Buffer;

use std::mem::take;

use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Cpu, CpuError, Gradients, Tensor, TensorFromVec};

use super::{Bridge, Skip, Stored};
use crate::ops::Matrix;

impl<T> Skip for &[T] {
    fn skip(self, count: usize) -> Self {
        self.get(count..).unwrap_or_default()
    }
}

impl<T> Skip for &mut [T] {
    fn skip(self, count: usize) -> Self {
        self.get_mut(count..).unwrap_or_default()
    }
}

/// The cache of allocations must be disabled, as it is at first: dfdx leaks a vector that comes from outside
/// when it is enabled.
impl Bridge for Cpu {
    type Queue = ();
    type Slice<'a> = &'a [f32];
    type SliceMut<'a> = &'a mut [f32];
    type Indices<'a> = &'a [usize];
    type Buffer = Buffer;
    type HalfBuffer = Buffer;
    type HalfSlice<'a> = &'a [f32];
    type Gradient = Vec<f32>;

    fn queue<S: Shape>(_: &Tensor<S, f32, Self>) -> Result<(), CpuError> {
        Ok(())
    }

    fn queue_of(_: &Stored<Self>) -> Result<(), CpuError> {
        Ok(())
    }

    fn slice<S: Shape>(tensor: &Tensor<S, f32, Self>) -> &[f32] {
        storage::elements(tensor)
    }

    fn slice_mut<S: Shape>(tensor: &mut Tensor<S, f32, Self>) -> &mut [f32] {
        storage::elements_mut(tensor)
    }

    fn indices(tensor: &Tensor<(usize,), usize, Self>) -> &[usize] {
        storage::elements(tensor)
    }

    fn stored(stored: &Stored<Self>) -> &[f32] {
        stored
    }

    fn stored_mut(stored: &mut Stored<Self>) -> &mut [f32] {
        stored
    }

    fn reborrow<'a>(slice: &'a mut &mut [f32]) -> &'a mut [f32] {
        slice
    }

    fn shorten<'a, 'b: 'a>(slice: &'b [f32]) -> &'a [f32] {
        slice
    }

    fn as_slice<'a>(slice: &'a &mut [f32]) -> &'a [f32] {
        slice
    }

    fn scratch((): &(), count: usize) -> Result<Buffer, CpuError> {
        Ok(Buffer::new(count))
    }

    fn read(buffer: &Buffer) -> &[f32] {
        buffer
    }

    fn write(buffer: &mut Buffer) -> &mut [f32] {
        buffer
    }

    fn read_half(buffer: &Buffer) -> &[f32] {
        buffer
    }

    fn output<S: Shape>(&self, shape: S) -> Result<Tensor<S, f32, Self>, CpuError> {
        self.try_tensor_from_vec(vec![0.0; shape.num_elements()], shape)
    }

    fn copied((): &(), matrix: &Matrix<f32, Self>) -> Result<Matrix<f32, Self>, CpuError> {
        let elements = storage::elements(matrix).to_vec();
        matrix.device().try_tensor_from_vec(elements, *matrix.shape())
    }

    fn take((): &(), stored: &mut Stored<Self>) -> Result<Vec<f32>, CpuError> {
        Ok(take(&mut **stored))
    }

    fn gradient(gradient: &Vec<f32>) -> &[f32] {
        gradient
    }

    /// Takes both vectors out and puts them back: dfdx lends one at a time. The same one taken twice is empty
    /// the second time.
    fn two_gradients<A: Shape, B: Shape, R>(
        all: &mut Gradients<f32, Self>,
        a: &Tensor<A, f32, Self>,
        b: &Tensor<B, f32, Self>,
        work: impl FnOnce(&mut [f32], &mut [f32]) -> Result<R, CpuError>,
    ) -> Result<R, CpuError> {
        let mut of_a = take(&mut **all.get_or_alloc_mut(a)?);
        let mut of_b = take(&mut **all.get_or_alloc_mut(b)?);
        assert_eq!(of_b.len(), b.shape().num_elements(), "two gradients of one tensor");
        let result = work(&mut of_a, &mut of_b);
        **all.get_or_alloc_mut(a)? = of_a;
        **all.get_or_alloc_mut(b)? = of_b;
        result
    }

    fn upload_indices(
        &self,
        indices: Vec<usize>,
    ) -> Result<Tensor<(usize,), usize, Self>, CpuError> {
        super::tensor(self, (indices.len(),), &indices)
    }

    fn download(&self, stored: &Stored<Self>) -> Result<Vec<f32>, CpuError> {
        Ok(stored.to_vec())
    }

    fn overwrite(&self, stored: &mut Stored<Self>, values: &[f32]) -> Result<(), CpuError> {
        stored.copy_from_slice(values);
        Ok(())
    }
}
