#![allow(unsafe_code)]

use dfdx::tensor::CudaError;
use expe_core::Activation;

use super::launch::{LINE, grid, launch};
use crate::ops::bridge::cuda::{Context, DeviceSlice, DeviceSliceMut};

/// The kind as kernels take it.
fn kind(activation: Activation) -> i32 {
    match activation {
        Activation::Gelu => 0,
        Activation::Relu => 1,
        Activation::SwiGlu => 2,
    }
}

/// See [`Kernels::activation_forward`](crate::ops::Kernels::activation_forward).
pub fn forward(
    context: &Context,
    activation: Activation,
    inputs: DeviceSlice<'_>,
    gates: Option<DeviceSlice<'_>>,
    active: DeviceSliceMut<'_>,
) -> Result<(), CudaError> {
    let count = active.len();
    let gates_len = gates.map_or(count, |gates| gates.len());
    assert_eq!((inputs.len(), gates_len), (count, count), "sizes of an activation");
    let gates = gates.map_or(0, |gates| gates.address());
    // SAFETY: all lists have `count` numbers.
    unsafe {
        let (inputs, active) = (inputs.address(), active.address());
        let parameters = (kind(activation), inputs, gates, active, count);
        launch(context, ("activation", "activation_forward"), grid(count), LINE, parameters)
    }
}

/// See [`Kernels::activation_backward`](crate::ops::Kernels::activation_backward).
pub fn backward(
    context: &Context,
    activation: Activation,
    inputs: DeviceSliceMut<'_>,
    gates: Option<DeviceSliceMut<'_>>,
    gradient: DeviceSliceMut<'_>,
) -> Result<(), CudaError> {
    let count = gradient.len();
    let gates_len = gates.as_ref().map_or(count, |gates| gates.len());
    assert_eq!((inputs.len(), gates_len), (count, count), "sizes of an activation");
    let gates = gates.map_or(0, |gates| gates.address());
    // SAFETY: all lists have `count` numbers.
    unsafe {
        let (inputs, gradient) = (inputs.address(), gradient.address());
        let parameters = (kind(activation), inputs, gates, gradient, count);
        launch(context, ("activation", "activation_backward"), grid(count), LINE, parameters)
    }
}
