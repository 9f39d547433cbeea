//! `--model DIR|FILE`: a run folder or an `.expe` file.

use std::path::Path;

use expe::device::ChosenDevice;
use expe::engine::ModelFile;
use expe::export;
use expe::ops::Backend;
use expe::train::TrainedModel;
use expe_core::internals::DType;

use super::CliError;
use super::device_arg::DeviceArg;

/// A trained model named on the command line.
#[derive(Debug)]
pub enum ModelArg<D: Backend> {
    /// A run folder.
    Folder(Box<TrainedModel<D>>),
    /// An `.expe` file.
    File(ModelFile),
}

/// Returns the device for the model at `path`: the requested device for a run folder, or the processor for a file,
/// which the core engine runs.
///
/// # Errors
/// [`CliError::Device`] if the device cannot be used, [`CliError::FileOnGpu`] if a GPU was requested by name for a
/// file.
pub fn model_device(path: &Path, device: &DeviceArg) -> Result<ChosenDevice, CliError> {
    if path.is_dir() {
        return device.settle();
    }
    if device.is_gpu() {
        return Err(CliError::FileOnGpu(path.to_owned()));
    }
    Ok(ChosenDevice::Cpu)
}

impl<D: Backend> ModelArg<D> {
    /// Opens the run folder or file at `path`. The model of a run folder is loaded on `device`.
    ///
    /// # Errors
    /// [`CliError::Train`] or [`CliError::Engine`] when it is neither, or damaged.
    pub fn open(path: &Path, device: &D) -> Result<Self, CliError> {
        if path.is_dir() {
            Ok(Self::Folder(Box::new(TrainedModel::open(path, device)?)))
        } else {
            Ok(Self::File(ModelFile::open(path)?))
        }
    }

    /// Returns the model as a file for the core engine. A run folder is exported to memory in `f32`.
    ///
    /// # Errors
    /// [`CliError::Export`] for a model that the format cannot represent.
    pub fn into_file(self) -> Result<ModelFile, CliError> {
        match self {
            Self::File(file) => Ok(file),
            Self::Folder(trained) => Ok(export::float(&trained, DType::F32)?),
        }
    }
}
