use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::TrainError;
use crate::atomic::write_atomically;
use crate::config::RunConfig;
use crate::device::Backend;
use crate::model::{Transformer, from_safetensors};

/// Name of the configuration in a run folder.
pub const CONFIG_FILE: &str = "config.toml";
/// Name of the best parameters in a run folder.
pub const MODEL_FILE: &str = "model.safetensors";
/// Name of the trainer's state in a run folder.
pub const TRAINER_FILE: &str = "trainer.safetensors";
/// Name of the tokenizer in a run folder.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// Name of the per-step numbers in a run folder.
pub const METRICS_FILE: &str = "metrics.csv";

/// The configuration and the best model of a run folder.
///
/// # Errors
/// [`TrainError::Io`] for a file that cannot be read, [`TrainError::ConfigFile`] or
/// [`TrainError::File`] for one that is damaged or does not fit the other.
pub fn load_model<D: Backend>(
    folder: &Path,
    device: &D,
) -> Result<(RunConfig, Transformer<D>), TrainError> {
    let config = read_config(folder)?;
    let path = folder.join(MODEL_FILE);
    let bytes = read(&path)?;
    let model = from_safetensors(&config.model, device, &bytes)
        .map_err(|source| TrainError::File { path, source })?;
    Ok((config, model))
}

/// The configuration of a run folder.
///
/// # Errors
/// [`TrainError::Io`] when it cannot be read, [`TrainError::State`] or [`TrainError::ConfigFile`]
/// when it is damaged.
pub fn read_config(folder: &Path) -> Result<RunConfig, TrainError> {
    let path = folder.join(CONFIG_FILE);
    let bytes = read(&path)?;
    let text = String::from_utf8(bytes).map_err(|error| TrainError::State {
        path: path.clone(),
        message: format!("not UTF-8: {error}"),
    })?;
    RunConfig::from_toml(&text).map_err(|source| TrainError::ConfigFile { path, source })
}

/// Check that a folder to resume holds this configuration.
pub(super) fn same_config(folder: &Path, config: &RunConfig) -> Result<(), TrainError> {
    let stored = read_config(folder)?;
    if stored == *config {
        return Ok(());
    }
    let (stored, given) = (stored.to_toml()?, config.to_toml()?);
    let different = stored.lines().zip(given.lines()).find(|(stored, given)| stored != given);
    let (stored, given) = different.unwrap_or((&stored, &given));
    Err(TrainError::ConfigChanged {
        folder: folder.into(),
        stored: stored.to_string(),
        given: given.to_string(),
    })
}

/// Read a whole file; the error names it.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))
    })
}

/// Replace a whole file.
pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    write_atomically(&folder.join(name), |file| file.write_all(bytes))
}
