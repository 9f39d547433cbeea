//! Where tensors live: what the runtime asks of a dfdx device beyond dfdx's own traits.

mod cpu;

use dfdx::dtypes::Dtype;
use dfdx::shapes::Shape;
use dfdx::tensor::{Cache, CopySlice, Storage, Tensor, ZerosTensor};
use dfdx::tensor_ops::Device;

pub use dfdx::tensor::Cpu;

/// A dfdx device on which models are trained: all of dfdx's operations on elements `E`, index
/// tensors, and host access to the raw buffers that hold gradients and moments.
pub trait Backend<E: Dtype = f32>:
    Device<E> + ZerosTensor<usize> + CopySlice<usize> + Cache
{
    /// Copy `values` into `buffer`, which has their length.
    fn overwrite(&self, buffer: &mut <Self as Storage<E>>::Vec, values: &[E]);

    /// Copy `buffer` to the host.
    fn read(&self, buffer: &<Self as Storage<E>>::Vec) -> Vec<E>;

    /// `Σ x²` over `buffer`, summed in `f64` in the buffer's order.
    fn sum_of_squares(&self, buffer: &<Self as Storage<E>>::Vec) -> f64;

    /// `x ← factor · x` over `buffer`.
    fn scale(&self, buffer: &mut <Self as Storage<E>>::Vec, factor: E);
}

/// A tensor of `shape` with `values` in row-major order.
///
/// It is filled in place: dfdx's allocation cache never gives back a buffer that was adopted from
/// a `Vec`, so that `tensor_from_vec` would leak one buffer per call.
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
