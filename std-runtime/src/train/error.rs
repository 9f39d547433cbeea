use std::io;
use std::path::PathBuf;

use crate::config::{ConfigFileError, RunConfigError};
use crate::data::DataError;
use crate::device::DeviceError;
use crate::model::ModelError;

/// Why training cannot start or continue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The configuration is not valid.
    #[error("configuration: {0}")]
    Config(#[from] RunConfigError),
    /// The text is too short.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model cannot be built or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The device does not support mixed precision.
    #[error("this device does not support mixed precision; omit `precision`, or set it to \"f32\"")]
    Precision,
    /// A file cannot be read or written; the message names it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A file of the run folder is damaged.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ModelError,
    },
    /// The state of a checkpoint, stored besides its tensors, is damaged.
    #[error("{}: {message}", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The configuration of the run folder cannot be read, or is not valid.
    #[error(transparent)]
    ConfigFile(#[from] ConfigFileError),
    /// The path names a file, not a run folder.
    #[error("{}: is a file; expected a run folder", .path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The run folder contains the tokenizer of another model.
    #[error(
        "{}: the tokenizer has {tokenizer} tokens, but the model has {model}; \
         restore the tokenizer that the model was trained with",
        .path.display()
    )]
    Vocabulary {
        /// The file of the tokenizer.
        path: PathBuf,
        /// Vocabulary size of the tokenizer.
        tokenizer: usize,
        /// Vocabulary size of the model.
        model: usize,
    },
    /// The folder contains another run.
    #[error("{} already contains a training run; resume it or choose another folder", .folder.display())]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// The run to resume has another configuration.
    #[error(
        "{} was started with `{stored}`, but the configuration now has `{given}`; \
         resume with the folder's config.toml or choose another folder",
        .folder.display()
    )]
    ConfigChanged {
        /// The folder.
        folder: PathBuf,
        /// The first line of the stored configuration that differs.
        stored: String,
        /// The corresponding line of the given configuration.
        given: String,
    },
    /// The run to resume was started on other text.
    #[error(
        "{} was started on other text (fingerprint {stored:016x}, now {given:016x}); \
         use the same text or choose another folder",
        .folder.display()
    )]
    DataChanged {
        /// The folder.
        folder: PathBuf,
        /// Fingerprint of the text that the run was started on.
        stored: u64,
        /// Fingerprint of the given text.
        given: u64,
    },
    /// Another process is training in the folder.
    #[error("another process is training in {}", .folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// The model or the batch is too large for the device's memory.
    #[error(
        "training needs at least {needed} MiB of memory, but only {available} MiB are free; {advice}",
        advice = advice(*.fits)
    )]
    Memory {
        /// Lower bound of the memory needed, in MiB.
        needed: u128,
        /// Free memory, in MiB.
        available: u64,
        /// The largest `batch` whose lower bound fits, if there is one.
        fits: Option<usize>,
    },
    /// The device ran out of memory, although the lower bound fits.
    #[error("{message}, with `batch` = {batch}; {advice}", advice = advice(*.fits))]
    OutOfMemory {
        /// The device's message.
        message: String,
        /// Number of windows in a batch.
        batch: usize,
        /// A smaller `batch` that was tried successfully, if there is one.
        fits: Option<usize>,
    },
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The loss or the gradient norm is infinite or not a number.
    #[error(
        "the {what} became {value} at step {step}; lower `learning_rate` or `clip`, or lengthen \
         `warmup` (the last checkpoint is intact)"
    )]
    NotFinite {
        /// `loss` or `gradient norm`.
        what: &'static str,
        /// Its value.
        value: f64,
        /// Number of completed steps before it.
        step: u64,
    },
}

impl TrainError {
    /// If the device ran out of memory with `batch` windows, adds the batch size that `fits` returns.
    pub(super) fn with_batch(self, batch: usize, fits: impl FnOnce() -> Option<usize>) -> Self {
        if !self.is_out_of_memory() {
            return self;
        }
        Self::OutOfMemory { message: self.to_string(), batch, fits: fits() }
    }

    /// Returns whether a device ran out of memory.
    pub(super) fn is_out_of_memory(&self) -> bool {
        matches!(
            self,
            Self::Model(ModelError::OutOfMemory { .. })
                | Self::Device(DeviceError::OutOfMemory { .. })
        )
    }
}

fn advice(fits: Option<usize>) -> String {
    match fits {
        Some(batch) => format!("`batch` = {batch} fits (raise `accumulate` to compensate)"),
        None => "no `batch` fits: make the model or its `context` smaller".to_owned(),
    }
}
