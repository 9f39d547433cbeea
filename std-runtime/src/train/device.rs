use dfdx::tensor::Synchronize;
use rayon::ThreadPool;

use super::{Progress, Stepper, TrainError, Workers, available_memory};
use crate::device::{Backend, ChosenDevice, Cpu, DeviceError};
use crate::model::{Sites, Transformer};

/// A device that models are trained on: how it shares work among threads, how much memory it has, and
/// how it fails.
pub trait TrainingDevice: Backend + Synchronize {
    /// Copies of all parameters that its memory holds for the whole of a training: the parameters
    /// and two moments, and on the processor the best parameters so far.
    const COPIES: usize = 3;

    /// `work` applied to every item, in the items' order; at the same time where threads can share
    /// the device.
    fn map<I: Sync, R: Send>(
        _: &Workers,
        model: &Transformer<Self>,
        sites: &Sites<f32, Self>,
        items: &[I],
        work: impl Fn(&Transformer<Self>, &Sites<f32, Self>, &I) -> R + Sync,
    ) -> Vec<R> {
        items.iter().map(|item| work(model, sites, item)).collect()
    }

    /// A step of `stepper`, with the threads of `pool` where it is threads that do the work.
    ///
    /// # Errors
    /// As [`Stepper::step`].
    fn step_in(_: &ThreadPool, stepper: &mut Stepper<'_, Self>) -> Result<Progress, TrainError> {
        stepper.step()
    }

    /// Bytes of its memory that are free now, as far as it tells.
    fn free_memory(&self) -> Option<u64>;

    /// Do `work` that computes on the device, which may have no other way to report an error than a
    /// panic.
    ///
    /// # Errors
    /// [`DeviceError`] in place of such a panic.
    fn guarded<R>(&self, work: impl FnOnce() -> R) -> Result<R, DeviceError> {
        Ok(work())
    }
}

impl TrainingDevice for Cpu {
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

    fn step_in(pool: &ThreadPool, stepper: &mut Stepper<'_, Self>) -> Result<Progress, TrainError> {
        pool.install(|| stepper.step())
    }

    fn free_memory(&self) -> Option<u64> {
        available_memory()
    }
}

/// dfdx's handle of a GPU belongs to one thread; a GPU finds enough to do in one part of a batch.
#[cfg(feature = "cuda")]
impl TrainingDevice for crate::device::Cuda {
    fn free_memory(&self) -> Option<u64> {
        crate::device::cuda::free_memory(self)
    }

    fn guarded<R>(&self, work: impl FnOnce() -> R) -> Result<R, DeviceError> {
        crate::device::cuda::guarded(self, work)
    }
}

/// Work for a device whose type is known only when the program runs; see [`ChosenDevice::run`].
pub trait OnDevice {
    /// What the work returns.
    type Output;
    /// Why it fails.
    type Error: From<DeviceError>;

    /// Does the work on `device`.
    ///
    /// # Errors
    /// The work's own.
    fn run<D: TrainingDevice>(self, device: &D) -> Result<Self::Output, Self::Error>;
}

impl ChosenDevice {
    /// Opens the device on this thread and runs `work` on it.
    ///
    /// # Errors
    /// [`DeviceError`] when the device cannot be opened or panics, and the errors of `work`.
    pub fn run<W: OnDevice>(&self, work: W) -> Result<W::Output, W::Error> {
        match self {
            Self::Cpu => work.run(&Cpu::default()),
            #[cfg(feature = "cuda")]
            Self::Cuda(gpu) => {
                let device = crate::device::cuda::open(gpu.ordinal)?;
                let done = device.guarded(|| work.run(&device));
                crate::device::cuda::close(device, gpu.ordinal);
                done?
            }
        }
    }
}
