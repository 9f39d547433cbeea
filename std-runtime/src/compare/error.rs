use std::io;
use std::path::PathBuf;

use crate::data::DataError;
use crate::device::DeviceError;
use crate::eval::EvalError;
use crate::train::TrainError;

/// Why a comparison cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// It was asked to stop; everything is saved and can be resumed.
    #[error("interrupted; everything is saved, and the same command goes on from here")]
    Interrupted,
    /// A model cannot be trained.
    #[error("{cell}: {source}")]
    Train {
        /// The model.
        cell: String,
        /// Why.
        source: Box<TrainError>,
    },
    /// A model cannot be evaluated.
    #[error("{cell}: {source}")]
    Eval {
        /// The model.
        cell: String,
        /// Why.
        source: Box<EvalError>,
    },
    /// The device cannot be used, or failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The tokenizer cannot be written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Rows that were measured earlier cannot be read.
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
