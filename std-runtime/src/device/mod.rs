//! Where tensors live: what the runtime asks of a dfdx device beyond dfdx's own traits.

mod adamw;
mod choice;
mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod error;

use dfdx::dtypes::Dtype;
use dfdx::shapes::Shape;
use dfdx::tensor::{CopySlice, Storage, Tensor, ZerosTensor};
use dfdx::tensor_ops::AdamConfig;

use crate::ops::Operations;

pub(crate) use adamw::AdamWStep;
pub use choice::{ChosenDevice, DeviceChoice};
#[cfg(feature = "cuda")]
pub use cuda::Cuda;
pub use dfdx::tensor::Cpu;
pub(crate) use error::is_out_of_memory;
pub use error::{DeviceError, Library, Version};

/// Raw buffers of a device, such as the gradients of a model's parameters.
pub type Buffers<E, D> = Vec<<D as Storage<E>>::Vec>;

/// A dfdx device on which models are trained: the transformer's operations on elements `E`, and host
/// access to the raw buffers that hold gradients and moments.
///
/// Several threads may use it at once, so the device's allocation cache must stay disabled: that of
/// dfdx 0.13 looks for a buffer and takes it under two separate locks, and panics when another
/// thread was faster.
pub trait Backend<E: Dtype = f32>: Operations<E> {
    /// Parts that a batch is always cut into, so that several threads can share the work; the
    /// result depends on this number and not on the threads.
    const PARTS: usize;

    /// Parameters whose change was asked for and is yet to be made, see [`gather`](Self::gather).
    type Changes: Default;

    /// Copy `values` into `buffer`, which has their length.
    ///
    /// # Errors
    /// The device's.
    fn overwrite(
        &self,
        buffer: &mut <Self as Storage<E>>::Vec,
        values: &[E],
    ) -> Result<(), Self::Err>;

    /// A tensor of `indices`; the device may still be at work on something else when this returns.
    ///
    /// # Errors
    /// The device's.
    fn indices(&self, indices: Vec<usize>) -> Result<Tensor<(usize,), usize, Self>, Self::Err> {
        tensor(self, (indices.len(),), &indices)
    }

    /// Copy `buffer` to the host.
    ///
    /// # Errors
    /// The device's.
    fn read(&self, buffer: &<Self as Storage<E>>::Vec) -> Result<Vec<E>, Self::Err>;

    /// `Σ x²` over `buffer`, summed in `f64` in the buffer's order.
    ///
    /// # Errors
    /// The device's.
    fn sum_of_squares(&self, buffer: &<Self as Storage<E>>::Vec) -> Result<f64, Self::Err>;

    /// `x ← x + y` over `buffer`, with `y` from `other` of the same length.
    ///
    /// # Errors
    /// The device's.
    fn add(
        &self,
        buffer: &mut <Self as Storage<E>>::Vec,
        other: &<Self as Storage<E>>::Vec,
    ) -> Result<(), Self::Err>;

    /// `x ← factor · x` over `buffer`.
    ///
    /// # Errors
    /// The device's.
    fn scale(&self, buffer: &mut <Self as Storage<E>>::Vec, factor: E) -> Result<(), Self::Err>;

    /// `Σ` over `parts`, lists of equally long buffers, in their order, and the sum of the squares of
    /// all numbers of the result. Both depend on no number of threads.
    ///
    /// # Errors
    /// The device's.
    fn reduce(&self, parts: Vec<Buffers<E, Self>>) -> Result<(Buffers<E, Self>, f64), Self::Err> {
        let mut parts = parts.into_iter();
        let mut sums = parts.next().unwrap_or_default();
        for part in parts {
            for (sum, part) in sums.iter_mut().zip(&part) {
                self.add(sum, part)?;
            }
        }
        let mut squares = 0.0;
        for sum in &sums {
            squares += self.sum_of_squares(sum)?;
        }
        Ok((sums, squares))
    }

    /// Change `weight` by one step of AdamW with `factor` times its `gradient`, and the moments along
    /// with it; `time` counts from 1.
    ///
    /// # Errors
    /// The device's.
    fn adamw<S: Shape>(
        &self,
        config: &AdamConfig,
        time: i32,
        factor: E,
        weight: &mut Tensor<S, E, Self>,
        moments: [&mut <Self as Storage<E>>::Vec; 2],
        gradient: &mut <Self as Storage<E>>::Vec,
    ) -> Result<(), Self::Err> {
        if factor != scalar(1.0) {
            self.scale(gradient, factor)?;
        }
        let [first, second] = moments;
        config.try_update(time, weight, first, second, gradient)
    }

    /// As [`adamw`](Self::adamw), now or by [`change`](Self::change), so that a device can change several
    /// parameters at once. Until then weight and moments must stay where they are, and no other tensor may
    /// share the weight's memory.
    ///
    /// # Errors
    /// The device's.
    #[expect(clippy::too_many_arguments)]
    fn gather<S: Shape>(
        &self,
        _: &mut Self::Changes,
        config: &AdamConfig,
        time: i32,
        factor: E,
        weight: &mut Tensor<S, E, Self>,
        moments: [&mut <Self as Storage<E>>::Vec; 2],
        mut gradient: <Self as Storage<E>>::Vec,
    ) -> Result<(), Self::Err> {
        self.adamw(config, time, factor, weight, moments, &mut gradient)
    }

    /// Make the changes that are left.
    ///
    /// # Errors
    /// The device's.
    fn change(&self, _: Self::Changes) -> Result<(), Self::Err> {
        Ok(())
    }
}

/// A tensor of `shape` with `values` in row-major order.
///
/// # Errors
/// The device's, when memory runs out.
///
/// # Panics
/// If `values` has another length than `shape`; callers compute both from the same numbers.
pub fn tensor<S: Shape, E: dfdx::dtypes::Unit, D: ZerosTensor<E> + CopySlice<E>>(
    device: &D,
    shape: S,
    values: &[E],
) -> Result<Tensor<S, E, D>, D::Err> {
    let mut tensor = device.try_zeros_like(&shape)?;
    tensor.copy_from(values);
    Ok(tensor)
}

/// `x` as an element; every float type holds a rounded `f64`.
pub fn scalar<E: Dtype>(x: f64) -> E {
    E::from_f64(x).unwrap_or_default()
}
