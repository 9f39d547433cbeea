use dfdx::tensor::{Cuda, CudaError, Storage};

use crate::device::Backend;

impl Backend<f32> for Cuda {
    const PARTS: usize = 1;

    fn overwrite(
        &self,
        buffer: &mut <Self as Storage<f32>>::Vec,
        values: &[f32],
    ) -> Result<(), CudaError> {
        Ok(buffer.device().htod_sync_copy_into(values, buffer)?)
    }

    fn read(&self, buffer: &<Self as Storage<f32>>::Vec) -> Result<Vec<f32>, CudaError> {
        Ok(buffer.device().dtoh_sync_copy(buffer)?)
    }

    fn sum_of_squares(&self, buffer: &<Self as Storage<f32>>::Vec) -> Result<f64, CudaError> {
        Ok(self.read(buffer)?.iter().map(|x| f64::from(*x) * f64::from(*x)).sum())
    }

    fn add(
        &self,
        buffer: &mut <Self as Storage<f32>>::Vec,
        other: &<Self as Storage<f32>>::Vec,
    ) -> Result<(), CudaError> {
        let mut sum = self.read(buffer)?;
        sum.iter_mut().zip(self.read(other)?).for_each(|(x, y)| *x += y);
        self.overwrite(buffer, &sum)
    }

    fn scale(
        &self,
        buffer: &mut <Self as Storage<f32>>::Vec,
        factor: f32,
    ) -> Result<(), CudaError> {
        let mut values = self.read(buffer)?;
        values.iter_mut().for_each(|x| *x *= factor);
        self.overwrite(buffer, &values)
    }
}
