use std::sync::Arc;

use cudarc::driver::CudaSlice;
use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Cuda, CudaError, Gradients, Tensor, TensorFromVec, ZerosTensor};

use super::{Context, DeviceSlice, DeviceSliceMut};
use crate::ops::Matrix;
use crate::ops::bridge::{Bridge, Stored};

/// A tensor made by dfdx starts as zeros, also where all of it is about to be written, because dfdx has no
/// other way to make one from outside.
impl Bridge for Cuda {
    type Queue = Arc<Context>;
    type Slice<'a> = DeviceSlice<'a>;
    type SliceMut<'a> = DeviceSliceMut<'a>;
    type Indices<'a> = DeviceSlice<'a, usize>;
    type Buffer = CudaSlice<f32>;
    type HalfBuffer = CudaSlice<u16>;
    type HalfSlice<'a> = DeviceSlice<'a, u16>;
    type Gradient = CudaSlice<f32>;

    fn queue<S: Shape>(tensor: &Tensor<S, f32, Self>) -> Result<Arc<Context>, CudaError> {
        Context::of(tensor)
    }

    fn queue_of(stored: &Stored<Self>) -> Result<Arc<Context>, CudaError> {
        Context::of_buffer(stored)
    }

    fn slice<S: Shape>(tensor: &Tensor<S, f32, Self>) -> DeviceSlice<'_> {
        DeviceSlice::of(tensor)
    }

    fn slice_mut<S: Shape>(tensor: &mut Tensor<S, f32, Self>) -> DeviceSliceMut<'_> {
        DeviceSliceMut::of(tensor)
    }

    fn indices(tensor: &Tensor<(usize,), usize, Self>) -> DeviceSlice<'_, usize> {
        DeviceSlice::of(tensor)
    }

    fn stored(stored: &Stored<Self>) -> DeviceSlice<'_> {
        DeviceSlice::from(&**stored)
    }

    fn stored_mut(stored: &mut Stored<Self>) -> DeviceSliceMut<'_> {
        DeviceSliceMut::from(&mut **stored)
    }

    fn reborrow<'a>(slice: &'a mut DeviceSliceMut<'_>) -> DeviceSliceMut<'a> {
        slice.reborrow()
    }

    fn shorten<'a, 'b: 'a>(slice: DeviceSlice<'b>) -> DeviceSlice<'a> {
        slice
    }

    fn as_slice<'a>(slice: &'a DeviceSliceMut<'_>) -> DeviceSlice<'a> {
        slice.as_slice()
    }

    fn scratch(queue: &Arc<Context>, count: usize) -> Result<CudaSlice<f32>, CudaError> {
        queue.scratch(count)
    }

    fn read(buffer: &CudaSlice<f32>) -> DeviceSlice<'_> {
        buffer.into()
    }

    fn write(buffer: &mut CudaSlice<f32>) -> DeviceSliceMut<'_> {
        buffer.into()
    }

    fn read_half(buffer: &CudaSlice<u16>) -> DeviceSlice<'_, u16> {
        buffer.into()
    }

    fn output<S: Shape>(&self, shape: S) -> Result<Tensor<S, f32, Self>, CudaError> {
        self.try_zeros_like(&shape)
    }

    fn copied(
        queue: &Arc<Context>,
        matrix: &Matrix<f32, Self>,
    ) -> Result<Matrix<f32, Self>, CudaError> {
        let mut copy = matrix.device().output(*matrix.shape())?;
        queue.copy(DeviceSliceMut::of(&mut copy), DeviceSlice::of(matrix))?;
        Ok(copy)
    }

    fn take(queue: &Arc<Context>, stored: &mut Stored<Self>) -> Result<CudaSlice<f32>, CudaError> {
        queue.take(stored)
    }

    fn gradient(gradient: &CudaSlice<f32>) -> DeviceSlice<'_> {
        gradient.into()
    }

    /// Both are addresses, so neither has to be borrowed while the other one is looked for.
    fn two_gradients<A: Shape, B: Shape, R>(
        all: &mut Gradients<f32, Self>,
        a: &Tensor<A, f32, Self>,
        b: &Tensor<B, f32, Self>,
        work: impl FnOnce(DeviceSliceMut<'_>, DeviceSliceMut<'_>) -> Result<R, CudaError>,
    ) -> Result<R, CudaError> {
        let of_a = Self::stored_mut(all.get_or_alloc_mut(a)?).detached();
        let of_b = Self::stored_mut(all.get_or_alloc_mut(b)?);
        assert_ne!(of_a.address(), of_b.address(), "two gradients of one tensor");
        work(of_a, of_b)
    }

    fn upload_indices(
        &self,
        indices: Vec<usize>,
    ) -> Result<Tensor<(usize,), usize, Self>, CudaError> {
        let shape = (indices.len(),);
        self.try_tensor_from_vec(indices, shape)
    }

    fn download(&self, stored: &Stored<Self>) -> Result<Vec<f32>, CudaError> {
        Ok(stored.device().dtoh_sync_copy(&**stored)?)
    }

    fn overwrite(&self, stored: &mut Stored<Self>, values: &[f32]) -> Result<(), CudaError> {
        Ok(stored.device().htod_sync_copy_into(values, &mut **stored)?)
    }
}
