use dfdx::dtypes::{Dtype, Unit};
use dfdx::shapes::Shape;
use dfdx::tensor::{CopySlice, Tensor, ZerosTensor};

/// Creates a tensor of `shape` with `values` in row-major order.
///
/// # Errors
/// The device's, when memory runs out.
///
/// # Panics
/// If `values` has another length than `shape`.
pub fn tensor<S: Shape, E: Unit, D: ZerosTensor<E> + CopySlice<E>>(
    device: &D,
    shape: S,
    values: &[E],
) -> Result<Tensor<S, E, D>, D::Err> {
    let mut tensor = device.try_zeros_like(&shape)?;
    tensor.copy_from(values);
    Ok(tensor)
}

/// Rounds `x` to an element; every float type holds a rounded `f64`.
pub fn scalar<E: Dtype>(x: f64) -> E {
    E::from_f64(x).unwrap_or_default()
}
