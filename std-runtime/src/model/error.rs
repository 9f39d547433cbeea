use expe_core::ConfigError;
use expe_core::position::PositionError;

use crate::ops::bridge::is_out_of_memory;

/// Why a model cannot be built, read, or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The sizes do not fit together.
    #[error("model configuration: {0}")]
    Config(#[from] ConfigError),
    /// The position encoding cannot be built or cannot encode a position.
    #[error("position encoding `{name}`: {source}")]
    Position {
        /// The encoding's name.
        name: &'static str,
        /// Why.
        source: PositionError,
    },
    /// The tokens do not form a batch of equal, non-empty sequences.
    #[error("{tokens} tokens do not form {batch} sequences of {length}")]
    Batch {
        /// Tokens given.
        tokens: usize,
        /// Sequences asked for.
        batch: usize,
        /// Positions of one sequence.
        length: usize,
    },
    /// A token is outside the vocabulary.
    #[error("token {token} is not below the vocabulary's size {vocab}")]
    Token {
        /// The token.
        token: u32,
        /// Tokens in the vocabulary.
        vocab: usize,
    },
    /// The file is not a safetensors file.
    #[error("not a valid safetensors file: {0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor that the configuration needs is missing.
    #[error("tensor `{name}` of shape {expected:?} is missing")]
    Missing {
        /// Its name.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
    },
    /// The file has a tensor that the configuration does not.
    #[error("tensor `{name}` of shape {found:?} does not belong to this configuration")]
    Unexpected {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
    },
    /// The shape of a tensor differs from the configuration's.
    #[error("tensor `{name}`: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// Its name.
        name: String,
        /// The configuration's shape.
        expected: Vec<usize>,
        /// The file's shape.
        found: Vec<usize>,
    },
    /// A tensor is not stored as `f32`.
    #[error("tensor `{name}` is stored as {found}, only F32 is read")]
    Dtype {
        /// Its name.
        name: String,
        /// The file's type.
        found: String,
    },
    /// A tensor contains a NaN or an infinity.
    #[error("tensor `{name}` holds {value} at element {index}")]
    NotFinite {
        /// Its name.
        name: String,
        /// Position of the first such element.
        index: usize,
        /// Its value.
        value: f32,
    },
    /// The device's memory is full.
    #[error("the device's memory is full ({message})")]
    OutOfMemory {
        /// The device's message.
        message: String,
    },
    /// The device failed.
    #[error("device: {message}")]
    Device {
        /// The device's message.
        message: String,
    },
}

impl ModelError {
    /// Wraps a device's error, of which dfdx only promises that it can be displayed.
    pub(crate) fn device(error: impl std::fmt::Display) -> Self {
        let message = error.to_string();
        if is_out_of_memory(&message) {
            Self::OutOfMemory { message }
        } else {
            Self::Device { message }
        }
    }
}
