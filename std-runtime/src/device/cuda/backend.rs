use dfdx::shapes::Shape;
use dfdx::tensor::{Cuda, CudaError, Storage, Tensor, TensorFromVec};
use dfdx::tensor_ops::AdamConfig;

use crate::device::{AdamWStep, Backend, Buffers};
use crate::ops::cuda::parameters::{self, Changes};

type Buffer = <Cuda as Storage<f32>>::Vec;

impl Backend<f32> for Cuda {
    const PARTS: usize = 1;
    type Changes = Changes;

    fn overwrite(&self, buffer: &mut Buffer, values: &[f32]) -> Result<(), CudaError> {
        Ok(buffer.device().htod_sync_copy_into(values, buffer)?)
    }

    fn indices(&self, indices: Vec<usize>) -> Result<Tensor<(usize,), usize, Self>, CudaError> {
        let shape = (indices.len(),);
        self.try_tensor_from_vec(indices, shape)
    }

    fn read(&self, buffer: &Buffer) -> Result<Vec<f32>, CudaError> {
        Ok(buffer.device().dtoh_sync_copy(buffer)?)
    }

    fn sum_of_squares(&self, buffer: &Buffer) -> Result<f64, CudaError> {
        parameters::squares(&[buffer])
    }

    fn add(&self, buffer: &mut Buffer, other: &Buffer) -> Result<(), CudaError> {
        parameters::add(buffer, other)
    }

    fn scale(&self, buffer: &mut Buffer, factor: f32) -> Result<(), CudaError> {
        parameters::scale(buffer, factor)
    }

    fn reduce(
        &self,
        parts: Vec<Buffers<f32, Self>>,
    ) -> Result<(Buffers<f32, Self>, f64), CudaError> {
        let mut parts = parts.into_iter();
        let mut sums = parts.next().unwrap_or_default();
        for part in parts {
            for (sum, part) in sums.iter_mut().zip(&part) {
                self.add(sum, part)?;
            }
        }
        let squares = parameters::squares(&sums.iter().map(|sum| &**sum).collect::<Vec<_>>())?;
        Ok((sums, squares))
    }

    fn gather<S: Shape>(
        &self,
        changes: &mut Changes,
        config: &AdamConfig,
        time: i32,
        factor: f32,
        weight: &mut Tensor<S, f32, Self>,
        [first, second]: [&mut Buffer; 2],
        mut gradient: Buffer,
    ) -> Result<(), CudaError> {
        let step = AdamWStep::new(config, time, factor);
        let gradient = parameters::take(&mut gradient)?;
        changes.add(step, weight, [first, second], gradient)
    }

    fn change(&self, mut changes: Changes) -> Result<(), CudaError> {
        changes.make()
    }
}
