use std::io;
use std::path::PathBuf;

use expe_core::format::FormatError;
use expe_core::position::PositionError;
use expe_core::{DecodeError, SampleError};

/// Why a model file cannot be used or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A folder was named.
    #[error(
        "{}: a folder, where an .expe file is needed", .0.display()
    )]
    Folder(PathBuf),
    /// The file is not a model.
    #[error("{}: not a usable .expe file: {source}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: FormatError,
    },
    /// The position encoding cannot be built or does not reach so far.
    #[error("the position encoding: {0}")]
    Position(#[from] PositionError),
    /// There is too little memory for so many positions.
    #[error("there is not enough memory for {positions} positions; ask for fewer tokens")]
    Memory {
        /// The positions asked for.
        positions: usize,
    },
    /// A model in integers with a cache of floats.
    #[error("a model in integer arithmetic needs a cache of type i8")]
    IntegerCache,
    /// The decoder refuses.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The logits cannot be sampled from.
    #[error(transparent)]
    Sample(#[from] SampleError),
}
