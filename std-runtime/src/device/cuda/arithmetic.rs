#![allow(unsafe_code)]

use cudarc::driver::CudaSlice;
use dfdx::tensor::CudaError;

use super::launch::{LINE, grid, launch};
use crate::ops::bridge::cuda::{Context, DeviceSlice, DeviceSliceMut};

/// See [`Kernels::add`](crate::ops::Kernels::add).
pub fn add(context: &Context, y: DeviceSliceMut<'_>, x: DeviceSlice<'_>) -> Result<(), CudaError> {
    assert_eq!(y.len(), x.len(), "sizes of a sum");
    let count = x.len();
    // SAFETY: both have `count` numbers.
    unsafe {
        let parameters = (y.address(), x.address(), count);
        launch(context, ("arithmetic", "add"), grid(count), LINE, parameters)
    }
}

/// See [`Kernels::add_scaled`](crate::ops::Kernels::add_scaled).
pub fn add_scaled(
    context: &Context,
    y: DeviceSliceMut<'_>,
    x: DeviceSlice<'_>,
    scalar: DeviceSlice<'_>,
    factor: f32,
) -> Result<(), CudaError> {
    let count = y.len();
    assert!(x.len() >= count && scalar.len() > 0, "sizes of a sum");
    // SAFETY: both have `count` numbers, the scalar is one.
    unsafe {
        let parameters = (y.address(), x.address(), scalar.address(), factor, count);
        launch(context, ("arithmetic", "add_scaled"), grid(count), LINE, parameters)
    }
}

/// Rounds `x` to `f16`, stored as bits.
pub fn round(context: &Context, x: DeviceSlice<'_>) -> Result<CudaSlice<u16>, CudaError> {
    let count = x.len();
    let y = context.scratch(count)?;
    // SAFETY: both have `count` numbers.
    unsafe {
        let parameters = (x.address(), &y, count);
        launch(context, ("arithmetic", "round_half"), grid(count), LINE, parameters)?;
    }
    Ok(y)
}
