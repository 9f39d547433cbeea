use std::io;
use std::path::PathBuf;

use crate::data::DataError;
use crate::device::DeviceError;
use crate::eval::EvalError;
use crate::train::TrainError;

/// Why a comparison did not finish.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// A stop was requested; everything is saved, and another run continues from there.
    #[error("interrupted; everything is saved, and running it again continues from here")]
    Interrupted,
    /// The configuration of the models is not valid.
    #[error(transparent)]
    Config(#[from] TrainError),
    /// A model cannot be trained.
    #[error("{cell}: {source}")]
    Train {
        /// The model.
        cell: String,
        /// The reason.
        source: Box<TrainError>,
    },
    /// A model cannot be evaluated.
    #[error("{cell}: {source}")]
    Eval {
        /// The model.
        cell: String,
        /// The reason.
        source: Box<EvalError>,
    },
    /// The device cannot be opened, or failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The text is too short for the longest length.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Rows of an earlier run cannot be read.
    #[error("{}: {source}; delete it to measure again", .path.display())]
    Rows {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file cannot be written; the message names it.
    #[error(transparent)]
    Io(#[from] io::Error),
}
