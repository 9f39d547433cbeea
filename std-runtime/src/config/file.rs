use std::io;
use std::path::{Path, PathBuf};

use super::{RunConfig, RunConfigError};

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFileError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file does not contain a valid configuration.
    #[error("{}: {source}", .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RunConfigError,
    },
}

impl RunConfig {
    /// Reads and checks the configuration in the TOML file at `path`.
    ///
    /// # Errors
    /// [`ConfigFileError`], which names the file.
    pub fn load(path: &Path) -> Result<Self, ConfigFileError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigFileError::Read { path: path.to_owned(), source })?;
        Self::from_toml(&text)
            .map_err(|source| ConfigFileError::Invalid { path: path.to_owned(), source })
    }
}
