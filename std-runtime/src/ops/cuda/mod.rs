//! The transformer's operations on NVIDIA GPUs.

use dfdx::tensor::Cuda;

use super::Operations;

impl Operations<f32> for Cuda {}
