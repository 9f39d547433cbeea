//! NVIDIA GPUs, by CUDA: what is there, whether it can be used, and training on it.

mod backend;
mod driver;
mod guard;
mod kernels;
mod library;
mod reuse;

pub use dfdx::tensor::Cuda;
pub use driver::{Driver, Gpu};
pub use kernels::{CAPABILITY, KERNELS, VERSION, ptx};
pub(super) use library::open_toolkit;

use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::CudaDevice;
use cudarc::driver::result::mem_get_info;
use dfdx::tensor::{CudaError, Storage};

use super::{DeviceError, is_out_of_memory};

/// Open the GPU `ordinal` for computing.
///
/// # Errors
/// [`DeviceError`]: everything that dfdx would panic about is checked before.
pub fn open(ordinal: usize) -> Result<Cuda, DeviceError> {
    Driver::start()?.usable(ordinal)?;
    open_toolkit()?;
    let failed = |error: CudaError| failure(ordinal, error.to_string());
    let device = Cuda::try_build(ordinal, 0).map_err(failed)?;
    keep(handle(&device).map_err(failed)?);
    Ok(device)
}

/// Keep a device's context for as long as the program runs: memory that waits in `reuse` belongs to it.
fn keep(handle: Arc<CudaDevice>) {
    static KEPT: Mutex<Vec<Arc<CudaDevice>>> = Mutex::new(Vec::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.iter().all(|other| other.ordinal() != handle.ordinal()) {
        kept.push(handle);
    }
}

/// Give the GPU back. What fails then failed before already, and was told.
pub fn close(device: Cuda, ordinal: usize) {
    let _ = guard::guarded(ordinal, move || drop(device));
}

/// The handle behind dfdx's, for kernels of our own.
///
/// # Errors
/// The driver's, when memory is full: dfdx shows it with a buffer only.
pub fn handle(device: &Cuda) -> Result<Arc<CudaDevice>, CudaError> {
    Ok(Storage::<f32>::try_alloc_len(device, 1)?.device())
}

/// Bytes of the GPU's memory that are free now, if the driver tells.
pub fn free_memory(device: &Cuda) -> Option<u64> {
    let handle = handle(device).ok()?;
    handle.bind_to_thread().ok()?;
    let (free, _) = mem_get_info().ok()?;
    u64::try_from(free.saturating_add(reuse::waiting())).ok()
}

/// Do `work` on the GPU; dfdx and cudarc panic in places where the driver reports an error.
///
/// # Errors
/// [`DeviceError::OutOfMemory`] or [`DeviceError::Failed`] in place of such a panic.
pub fn guarded<R>(device: &Cuda, work: impl FnOnce() -> R) -> Result<R, DeviceError> {
    let ordinal = guard::guarded(0, || handle(device)).ok().and_then(Result::ok);
    guard::guarded(ordinal.map_or(0, |handle| handle.ordinal()), work)
}

/// The error behind a message of the driver or of one of its libraries.
fn failure(ordinal: usize, message: String) -> DeviceError {
    let of_compiler = ["NvrtcError(", "CompileError"].iter().any(|sign| message.contains(sign));
    if let (true, Err(missing)) = (of_compiler, library::open_compiler()) {
        return missing;
    }
    if is_out_of_memory(&message) {
        DeviceError::OutOfMemory { ordinal, message }
    } else {
        DeviceError::Failed { ordinal, message }
    }
}
