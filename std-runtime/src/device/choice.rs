use std::fmt;
use std::str::FromStr;

use super::DeviceError;

#[cfg(feature = "cuda")]
use super::cuda::{self, Driver, Gpu};

/// A device by its name on the command line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU, if it can be used, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The GPU of this number, from 0.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    /// # Errors
    /// [`DeviceError::Name`].
    fn from_str(name: &str) -> Result<Self, DeviceError> {
        let wrong = || DeviceError::Name(name.to_owned());
        match name.split_once(':') {
            None => match name {
                "auto" => Ok(Self::Auto),
                "cpu" => Ok(Self::Cpu),
                "cuda" => Ok(Self::Cuda(0)),
                _ => Err(wrong()),
            },
            Some(("cuda", number)) => number.parse().map(Self::Cuda).map_err(|_| wrong()),
            Some(_) => Err(wrong()),
        }
    }
}

impl DeviceChoice {
    /// Returns the device to use, and why `Auto` did not choose a GPU (`None` in a program that was built
    /// without CUDA).
    ///
    /// # Errors
    /// [`DeviceError`] for a GPU that was named and cannot be used.
    pub fn settle(self) -> Result<(ChosenDevice, Option<DeviceError>), DeviceError> {
        match self {
            Self::Cpu => Ok((ChosenDevice::Cpu, None)),
            Self::Cuda(ordinal) => Ok((gpu(ordinal)?, None)),
            Self::Auto => match gpu(0) {
                Ok(gpu) => Ok((gpu, None)),
                Err(DeviceError::NotBuilt) => Ok((ChosenDevice::Cpu, None)),
                Err(error) => Ok((ChosenDevice::Cpu, Some(error))),
            },
        }
    }
}

#[cfg(feature = "cuda")]
fn gpu(ordinal: usize) -> Result<ChosenDevice, DeviceError> {
    let gpu = Driver::start()?.usable(ordinal)?;
    cuda::open_toolkit()?;
    Ok(ChosenDevice::Cuda(gpu))
}

#[cfg(not(feature = "cuda"))]
fn gpu(_: usize) -> Result<ChosenDevice, DeviceError> {
    Err(DeviceError::NotBuilt)
}

/// A device that can be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ChosenDevice {
    /// The processor.
    #[default]
    Cpu,
    /// A GPU.
    #[cfg(feature = "cuda")]
    Cuda(Gpu),
}

impl ChosenDevice {
    /// Returns how many models train well on it at the same time.
    pub fn jobs(&self) -> usize {
        match self {
            Self::Cpu => std::thread::available_parallelism().map_or(1, usize::from),
            #[cfg(feature = "cuda")]
            Self::Cuda(_) => 1,
        }
    }
}

impl fmt::Display for ChosenDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            #[cfg(feature = "cuda")]
            Self::Cuda(gpu) => write!(f, "cuda:{} ({})", gpu.ordinal, gpu.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed() {
        for (name, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::Cuda(0)),
            ("cuda:0", DeviceChoice::Cuda(0)),
            ("cuda:12", DeviceChoice::Cuda(12)),
        ] {
            assert_eq!(name.parse(), Ok(choice), "{name}");
        }
        for name in ["", "gpu", "CPU", "cpu:0", "auto:1", "cuda:", "cuda:-1", "cuda:x", "cuda:0:1"]
        {
            let read: Result<DeviceChoice, _> = name.parse();
            assert_eq!(read, Err(DeviceError::Name(name.into())));
        }
    }

    #[test]
    fn the_processor_can_always_be_used() {
        assert_eq!(DeviceChoice::Cpu.settle(), Ok((ChosenDevice::Cpu, None)));
        assert!(DeviceChoice::Auto.settle().is_ok());
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn without_cuda_a_gpu_is_an_error() {
        assert_eq!(DeviceChoice::Cuda(0).settle(), Err(DeviceError::NotBuilt));
    }
}
