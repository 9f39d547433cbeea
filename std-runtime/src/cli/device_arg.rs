//! `--device`: the device to compute on.

use expe::device::{ChosenDevice, DeviceChoice};

use super::CliError;

/// The device to compute on.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct DeviceArg {
    /// Device to compute on: cpu, cuda (the first GPU), cuda:N, or auto, which is the first GPU if it can be
    /// used and the processor otherwise (`expe devices` lists all devices).
    #[arg(long, default_value = "auto", value_name = "NAME")]
    device: DeviceChoice,
}

impl DeviceArg {
    /// Returns the device to use, and prints it if it is a GPU or if a GPU cannot be used.
    ///
    /// # Errors
    /// [`CliError::Device`] for a requested GPU that cannot be used.
    pub fn settle(&self) -> Result<ChosenDevice, CliError> {
        let (device, why_not) = self.device.settle()?;
        if let Some(error) = why_not {
            eprintln!("device: {device}, because {error}");
        } else if device != ChosenDevice::Cpu {
            eprintln!("device: {device}");
        }
        Ok(device)
    }

    /// Returns whether a GPU was requested by name.
    pub fn is_gpu(&self) -> bool {
        matches!(self.device, DeviceChoice::Cuda(_))
    }
}
