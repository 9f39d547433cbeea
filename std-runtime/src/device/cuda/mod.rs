//! NVIDIA GPUs, by CUDA: what is there, whether it can be used, and training on it.

mod backend;
mod driver;
mod kernels;
mod library;

pub use dfdx::tensor::Cuda;
pub use driver::{Driver, Gpu};
pub use kernels::{CAPABILITY, KERNELS, VERSION, ptx};

use super::DeviceError;

/// Open the GPU `ordinal` for computing.
///
/// # Errors
/// [`DeviceError`]: everything that dfdx would panic about is checked before.
pub fn open(ordinal: usize) -> Result<Cuda, DeviceError> {
    Driver::start()?.usable(ordinal)?;
    library::open_toolkit()?;
    Cuda::try_build(ordinal, 0).map_err(|error| failure(ordinal, error.to_string()))
}

/// The error behind a message of the driver or of one of its libraries.
fn failure(ordinal: usize, message: String) -> DeviceError {
    let full = ["OUT_OF_MEMORY", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED"];
    if full.iter().any(|sign| message.contains(sign)) {
        DeviceError::OutOfMemory { ordinal, message }
    } else {
        DeviceError::Failed { ordinal, message }
    }
}
