//! How a GPU is opened, used, and closed.

use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::CudaDevice;
use cudarc::driver::result::mem_get_info;
use dfdx::tensor::{Cuda, CudaError, Storage};

use super::driver::Driver;
use super::failure::failure;
use super::library::open_toolkit;
use super::{guard, reuse};
use crate::ops::bridge::DeviceError;

/// Opens the GPU `ordinal`.
///
/// # Errors
/// [`DeviceError`] for everything that dfdx would panic about.
pub fn open(ordinal: usize) -> Result<Cuda, DeviceError> {
    Driver::start()?.usable(ordinal)?;
    open_toolkit()?;
    let failed = |error: CudaError| failure(ordinal, error.to_string());
    let device = Cuda::try_build(ordinal, 0).map_err(failed)?;
    keep(handle(&device).map_err(failed)?);
    Ok(device)
}

/// Keeps a device's context for as long as the program runs: memory that waits in `reuse` belongs to it.
fn keep(handle: Arc<CudaDevice>) {
    static KEPT: Mutex<Vec<Arc<CudaDevice>>> = Mutex::new(Vec::new());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.iter().all(|other| other.ordinal() != handle.ordinal()) {
        kept.push(handle);
    }
}

/// Closes the GPU. An error here has already been reported: something else failed before.
pub fn close(device: Cuda, ordinal: usize) {
    let _ = guard::guarded(ordinal, move || drop(device));
}

/// Returns cudarc's device inside dfdx's, which dfdx shows with a buffer only.
fn handle(device: &Cuda) -> Result<Arc<CudaDevice>, CudaError> {
    Ok(Storage::<f32>::try_alloc_len(device, 1)?.device())
}

/// Returns how many bytes of the GPU's memory are free now, if the driver tells.
pub fn free_memory(device: &Cuda) -> Option<u64> {
    let handle = handle(device).ok()?;
    handle.bind_to_thread().ok()?;
    let (free, _) = mem_get_info().ok()?;
    u64::try_from(free.saturating_add(reuse::kept())).ok()
}

/// Does `work` on the GPU; dfdx and cudarc panic in places where the driver reports an error.
///
/// # Errors
/// [`DeviceError::OutOfMemory`] or [`DeviceError::Failed`] in place of such a panic.
pub fn guarded<R>(device: &Cuda, work: impl FnOnce() -> R) -> Result<R, DeviceError> {
    let ordinal = guard::guarded(0, || handle(device)).ok().and_then(Result::ok);
    guard::guarded(ordinal.map_or(0, |handle| handle.ordinal()), work)
}
