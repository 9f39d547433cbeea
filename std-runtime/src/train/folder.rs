use std::fs;
use std::io::{self, Write};
use std::path::Path;

use super::TrainError;
use crate::atomic::write_atomically;
use crate::config::RunConfig;
use crate::model::{Transformer, from_safetensors};
use crate::ops::Backend;

/// Name of the configuration in a run folder.
pub const CONFIG_FILE: &str = "config.toml";
/// Name of the best parameters in a run folder.
pub const MODEL_FILE: &str = "model.safetensors";
/// Name of the trainer's state in a run folder.
pub const TRAINER_FILE: &str = "trainer.safetensors";
/// Name of the tokenizer in a run folder.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// Name of the per-step metrics in a run folder.
pub const METRICS_FILE: &str = "metrics.csv";

/// Loads the configuration and the best model of a run folder.
///
/// # Errors
/// [`TrainError::ConfigFile`] for a configuration that cannot be read or is not valid, [`TrainError::Io`] for a
/// model that cannot be read, [`TrainError::File`] for one that is damaged or does not match the configuration.
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

/// Reads the configuration of a run folder.
///
/// # Errors
/// [`TrainError::ConfigFile`] when it cannot be read or is not valid.
pub fn read_config(folder: &Path) -> Result<RunConfig, TrainError> {
    Ok(RunConfig::load(&folder.join(CONFIG_FILE))?)
}

/// Checks that the run folder to resume has the configuration `config`.
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

/// Reads a file; the error names it.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))
    })
}

/// Replaces a file atomically.
pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    write_atomically(&folder.join(name), |file| file.write_all(bytes))
}
