use rayon::ThreadPool;

use super::workers::install;
use super::{BatchDevice, Progress, Stepper, TrainError};
use crate::device::{ChosenDevice, Cpu, DeviceError};

/// A device that models are trained on.
pub trait TrainingDevice: BatchDevice {
    /// Runs a step of `stepper`, on the threads of `pool` if the device computes with threads.
    ///
    /// # Errors
    /// As [`Stepper::step`].
    fn step_in(_: &ThreadPool, stepper: &mut Stepper<'_, Self>) -> Result<Progress, TrainError> {
        stepper.step()
    }
}

impl TrainingDevice for Cpu {
    fn step_in(pool: &ThreadPool, stepper: &mut Stepper<'_, Self>) -> Result<Progress, TrainError> {
        install(pool, || stepper.step())
    }
}

#[cfg(feature = "cuda")]
impl TrainingDevice for crate::device::Cuda {}

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
