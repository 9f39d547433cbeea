use rayon::ThreadPool;

use super::workers::install;
use super::{BatchDevice, Progress, Stepper, TrainError};
use crate::device::{ChosenDevice, Cpu, DeviceError};

/// A device that can train models.
pub trait TrainingDevice: BatchDevice {
    /// Runs a step of `stepper`, on the threads of `pool` if the device uses CPU threads.
    ///
    /// # Errors
    /// Same as [`Stepper::step`].
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

/// Work for a device whose type is known only at run time; see [`ChosenDevice::run`].
pub trait OnDevice {
    /// The result.
    type Output;
    /// The error.
    type Error: From<DeviceError>;

    /// Performs the work on `device`.
    ///
    /// # Errors
    /// Defined by the implementation.
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
