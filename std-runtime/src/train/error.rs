use std::io;
use std::path::PathBuf;

use crate::config::RunConfigError;
use crate::data::DataError;
use crate::model::ModelError;

/// Why training cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The configuration makes no sense.
    #[error("configuration: {0}")]
    Config(#[from] RunConfigError),
    /// The text is too short.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model cannot be built or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Products of this device have one precision.
    #[error("mixed precision is not there on this device; leave `precision` out, or say \"f32\"")]
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
    /// The state that a checkpoint keeps beside its tensors is damaged.
    #[error("{}: {message}", .path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A file of the run folder holds a configuration that makes no sense.
    #[error("{}: {source}", .path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: RunConfigError,
    },
    /// The folder holds another run.
    #[error("{} holds a training run already; resume it or choose another folder", .folder.display())]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// The run to resume has another configuration.
    #[error(
        "{} was started with `{stored}`, now it is `{given}`; \
         resume with the folder's config.toml or choose another folder",
        .folder.display()
    )]
    ConfigChanged {
        /// The folder.
        folder: PathBuf,
        /// The first line of the stored configuration that differs.
        stored: String,
        /// The same line of the given one.
        given: String,
    },
    /// The text is not the one that the run started with.
    #[error(
        "{} was started on other text (fingerprint {stored:016x}, now {given:016x}); \
         name the same --data or choose another folder",
        .folder.display()
    )]
    DataChanged {
        /// The folder.
        folder: PathBuf,
        /// Fingerprint of the text it started with.
        stored: u64,
        /// Fingerprint of the text now.
        given: u64,
    },
    /// Another process trains in the folder.
    #[error("another process is training in {}", .folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// The model or the batch is too large for this machine.
    #[error(
        "training needs at least {needed} MiB of memory, {available} MiB are free; lower `batch` \
         (and raise `accumulate`) or make the model smaller"
    )]
    Memory {
        /// Mebibytes needed at least.
        needed: u128,
        /// Mebibytes that are free.
        available: u64,
    },
    /// The loss or the gradient is not a finite number.
    #[error(
        "the {what} became {value} at step {step}; lower `learning_rate` or `clip`, or lengthen \
         `warmup` (the last checkpoint is intact)"
    )]
    NotFinite {
        /// `loss` or `gradient norm`.
        what: &'static str,
        /// Its value.
        value: f64,
        /// Steps done before.
        step: u64,
    },
}
