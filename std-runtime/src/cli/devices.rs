//! `expe devices`: the devices that models can be trained on.

use std::path::PathBuf;

use expe::bench::Machine;
use expe::device::DeviceError;
#[cfg(feature = "cuda")]
use expe::device::{ChosenDevice, DeviceChoice, cuda};
use expe::train::available_memory;
use serde::Serialize;

use super::CliError;
use super::output::{print, write_json};

/// Arguments of `expe devices`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write the list as JSON (`-` for standard output) instead of printing it.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// `{"devices":[{"device":"cpu","usable":true,…},{"device":"cuda","usable":false,"reason":"…"}]}`; keys
/// without a value are omitted.
#[derive(Debug, Serialize)]
struct Report {
    devices: Vec<Device>,
}

#[derive(Debug, Default, Serialize)]
struct Device {
    /// Name for `--device`; `cuda` if no GPU was found.
    device: String,
    usable: bool,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Number of threads of a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    cores: Option<usize>,
    /// Instruction sets of a processor that the kernels use.
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<Vec<String>>,
    /// Size of the memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    /// Size of the free memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    free: Option<u64>,
    /// Compute capability of a GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    compute_capability: Option<String>,
    /// CUDA version of the driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    driver: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// [`CliError::Write`].
pub fn run(args: &Args) -> Result<(), CliError> {
    let mut devices = vec![processor()];
    devices.extend(gpus().unwrap_or_else(|error| {
        let reason = Some(error.to_string());
        vec![Device { device: "cuda".to_owned(), reason, ..Device::default() }]
    }));
    if let Some(path) = &args.json {
        return write_json(path, &Report { devices });
    }
    devices.iter().try_for_each(|device| print(&device.line()))
}

fn processor() -> Device {
    let Machine { cpu, cores, features, .. } = Machine::this();
    Device {
        device: "cpu".to_owned(),
        usable: true,
        name: Some(cpu),
        cores: Some(cores),
        features: Some(features),
        free: available_memory(),
        ..Device::default()
    }
}

#[cfg(not(feature = "cuda"))]
fn gpus() -> Result<Vec<Device>, DeviceError> {
    Err(DeviceError::NotBuilt)
}

#[cfg(feature = "cuda")]
fn gpus() -> Result<Vec<Device>, DeviceError> {
    let driver = cuda::Driver::start()?;
    let one = |ordinal| {
        let gpu = driver.gpu(ordinal)?;
        let reason = match DeviceChoice::Cuda(ordinal).settle() {
            Ok((ChosenDevice::Cuda(_), _)) => None,
            Ok(_) => Some("not a GPU".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        Ok(Device {
            device: format!("cuda:{ordinal}"),
            usable: reason.is_none(),
            reason,
            memory: Some(gpu.memory),
            free: gpu.free().ok(),
            compute_capability: Some(gpu.capability.to_string()),
            driver: Some(driver.version.to_string()),
            name: Some(gpu.name),
            ..Device::default()
        })
    };
    (0..driver.count).map(one).collect()
}

impl Device {
    /// Formats the device as a line of text.
    fn line(&self) -> String {
        let gibibytes = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
        let memory = match (self.free, self.memory) {
            (Some(free), Some(all)) => {
                Some(format!("{} of {} free", gibibytes(free), gibibytes(all)))
            }
            (Some(free), None) => Some(format!("{} free", gibibytes(free))),
            (None, all) => all.map(gibibytes),
        };
        let parts = [
            self.name.clone(),
            self.cores.map(|cores| format!("{cores} cores")),
            self.features.as_ref().map(|features| features.join(" ")).filter(|f| !f.is_empty()),
            memory,
            self.compute_capability.as_ref().map(|found| format!("compute capability {found}")),
            self.driver.as_ref().map(|version| format!("driver for CUDA {version}")),
            self.reason.as_ref().map(|reason| format!("cannot be used: {reason}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("{:<7} {}", self.device, parts.join(", "))
    }
}
