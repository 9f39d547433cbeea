//! NVIDIA GPUs: what cudarc and dfdx show of device memory, the driver and its libraries, and panics of both
//! crates as errors.

mod context;
mod driver;
mod failure;
mod guard;
mod library;
mod memory;
mod open;
mod ptx;
mod reuse;
mod slice;

pub use context::Context;
pub use driver::{Driver, Gpu};
pub use library::open_toolkit;
pub use open::{close, free_memory, guarded, open};
pub use ptx::{CAPABILITY, KERNELS, VERSION};
pub use slice::{DeviceSlice, DeviceSliceMut};
