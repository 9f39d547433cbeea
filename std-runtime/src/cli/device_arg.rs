//! `--device`: what to compute on.

use super::CliError;
use crate::device::{ChosenDevice, DeviceChoice};

/// What to compute on.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct DeviceArg {
    /// What to compute on: cpu, cuda (the first GPU), cuda:N, or auto, which is the first GPU where
    /// one can be used (`expe devices` lists them).
    #[arg(long, default_value = "auto", value_name = "NAME")]
    device: DeviceChoice,
}

impl DeviceArg {
    /// The device to use; says which, where there was something to choose.
    ///
    /// # Errors
    /// [`CliError::Device`] for a GPU that cannot be used.
    pub fn settle(&self) -> Result<ChosenDevice, CliError> {
        let (device, why_not) = self.device.settle()?;
        if let Some(error) = why_not {
            eprintln!("device: {device}, because {error}");
        } else if device != ChosenDevice::Cpu {
            eprintln!("device: {device}");
        }
        Ok(device)
    }

    /// Whether a GPU was asked for by name.
    pub fn is_gpu(&self) -> bool {
        matches!(self.device, DeviceChoice::Cuda(_))
    }
}
