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
        /// Why.
        source: io::Error,
    },
    /// The path names a folder.
    #[error("{}: is a folder; expected an .expe file", .0.display())]
    Folder(PathBuf),
    /// The file is not a model.
    #[error("{}: not a usable .expe file: {source}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: FormatError,
    },
    /// The position encoding cannot be built, or supports fewer positions.
    #[error("the position encoding: {0}")]
    Position(#[from] PositionError),
    /// The position encoding supports fewer positions than a context.
    #[error("a context of {context} tokens is too long: the model supports {positions} positions")]
    Context {
        /// Requested number of tokens.
        context: usize,
        /// Number of positions that the encoding distinguishes.
        positions: u32,
    },
    /// There is not enough memory.
    #[error("there is not enough memory for {positions} positions")]
    Memory {
        /// Requested number of positions.
        positions: usize,
    },
    /// A model in integer arithmetic was given a floating-point cache.
    #[error("a model in integer arithmetic needs a cache of type i8")]
    IntegerCache,
    /// The decoder refuses the input.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The sampler refuses its parameters or the logits.
    #[error(transparent)]
    Sample(#[from] SampleError),
}
