//! Each operation on the GPU against the composed one in `f64` on the processor, and its gradients against finite
//! differences: the same tests as on the processor.

#[path = "../fused_operations/cases/mod.rs"]
mod cases;

use super::fast;

/// The device whose operations are tested.
type Fast = expe::device::Cuda;

/// How many sets of random numbers each case is tested with; an emulated device is slow.
const SEEDS: u64 = 1;
