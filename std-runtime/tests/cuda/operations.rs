//! Each operation on the GPU against the composed one in `f64` on the processor, and its gradients against
//! finite differences: the very tests of the processor's fused operations.

#[path = "../fused_operations/cases/mod.rs"]
mod cases;

use super::fast;

/// The device whose operations are tested.
type Fast = expe::device::Cuda;

/// Draws of numbers for each case; an emulated device is slow.
const SEEDS: u64 = 1;
