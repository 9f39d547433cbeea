//! Each operation on the GPU against the composed one in `f64` on the processor, and its gradients against
//! finite differences: the very tests of the processor's fused operations.

#[path = "../fused_operations/cases/mod.rs"]
mod cases;

use expe_runtime::device::cuda::{self, Cuda};

/// The device whose operations are tested.
type Fast = Cuda;

/// Draws of numbers for each case; an emulated device is slow.
const SEEDS: u64 = 1;

/// One for each thread of the tests.
fn fast() -> Fast {
    thread_local!(static DEVICE: Cuda = cuda::open(0).unwrap());
    DEVICE.with(Clone::clone)
}
