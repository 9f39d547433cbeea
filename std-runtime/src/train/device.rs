use dfdx::tensor::Synchronize;

use super::{Workers, available_memory};
use crate::device::{Cpu, DeviceError};
use crate::model::{Sites, Transformer};
use crate::ops::Kernels;

/// A device that processes batches: how it divides work among threads, how much memory it has, and how it
/// reports failures.
pub trait BatchDevice: Kernels + Synchronize {
    /// Number of copies of all parameters that its memory holds during training: the parameters and two moments,
    /// and on the CPU also the best parameters so far.
    const COPIES: usize = 3;

    /// Applies `work` to every item and returns the results in the order of the items. Items are processed
    /// concurrently if threads can share the device.
    fn map<I: Sync, R: Send>(
        _: &Workers,
        model: &Transformer<Self>,
        sites: &Sites<f32, Self>,
        items: &[I],
        work: impl Fn(&Transformer<Self>, &Sites<f32, Self>, &I) -> R + Sync,
    ) -> Vec<R> {
        items.iter().map(|item| work(model, sites, item)).collect()
    }

    /// Returns the number of free bytes in its memory, or `None` if it is unknown.
    fn free_memory(&self) -> Option<u64>;

    /// Runs `work` on the device and converts panics to errors: dfdx reports some GPU failures only by a panic.
    ///
    /// # Errors
    /// [`DeviceError`] if dfdx panics.
    fn guarded<R>(&self, work: impl FnOnce() -> R) -> Result<R, DeviceError> {
        Ok(work())
    }
}

impl BatchDevice for Cpu {
    const COPIES: usize = 4;

    fn map<I: Sync, R: Send>(
        workers: &Workers,
        model: &Transformer<Self>,
        sites: &Sites<f32, Self>,
        items: &[I],
        work: impl Fn(&Transformer<Self>, &Sites<f32, Self>, &I) -> R + Sync,
    ) -> Vec<R> {
        workers.map(items, |item| work(model, sites, item))
    }

    fn free_memory(&self) -> Option<u64> {
        available_memory()
    }
}

#[cfg(feature = "cuda")]
impl BatchDevice for crate::device::Cuda {
    fn free_memory(&self) -> Option<u64> {
        crate::device::cuda::free_memory(self)
    }

    fn guarded<R>(&self, work: impl FnOnce() -> R) -> Result<R, DeviceError> {
        crate::device::cuda::guarded(self, work)
    }
}
