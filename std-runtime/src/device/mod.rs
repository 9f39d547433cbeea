//! The kernels of the processor and of NVIDIA GPUs, and the choice between these devices.

mod choice;
#[cfg(feature = "cuda")]
pub mod cuda;
mod host;

pub use choice::{ChosenDevice, DeviceChoice};
#[cfg(feature = "cuda")]
pub use cuda::Cuda;
pub use dfdx::tensor::Cpu;

pub use crate::ops::bridge::{DeviceError, Library, Version};
