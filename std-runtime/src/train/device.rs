use dfdx::tensor::Synchronize;

use super::{Workers, available_memory};
use crate::device::{Cpu, DeviceError};
use crate::model::{Sites, Transformer};
use crate::ops::Kernels;

/// A device that processes batches: how it shares work among threads, how much memory it has, and how it
/// reports failures.
pub trait BatchDevice: Kernels + Synchronize {
    /// Copies of all parameters that its memory holds throughout a training: the parameters and two
    /// moments, and on the processor also the best parameters so far.
    const COPIES: usize = 3;

    /// Applies `work` to every item and returns the results in the order of the items. Items are processed
    /// concurrently where threads can share the device.
    fn map<I: Sync, R: Send>(
        _: &Workers,
        model: &Transformer<Self>,
        sites: &Sites<f32, Self>,
        items: &[I],
        work: impl Fn(&Transformer<Self>, &Sites<f32, Self>, &I) -> R + Sync,
    ) -> Vec<R> {
        items.iter().map(|item| work(model, sites, item)).collect()
    }

    /// Returns the free bytes of its memory, or `None` if they are unknown.
    fn free_memory(&self) -> Option<u64>;

    /// Runs `work` that computes on the device. dfdx can report some failures of a GPU only by a panic.
    ///
    /// # Errors
    /// [`DeviceError`] for such a panic.
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
