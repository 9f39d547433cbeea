use core::fmt;

use crate::position::{OverrideBlock, PositionError};
use crate::shape::TensorId;

/// A buffer is too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MemoryError {
    /// The buffer's purpose.
    pub what: &'static str,
    /// The smallest length, in words of 4 bytes; `usize::MAX` if no memory is large enough.
    pub needed: usize,
    /// The buffer's length.
    pub found: usize,
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, needed, found } = self;
        write!(
            f,
            "the {what} needs {needed} words of 4 bytes, found {found}; see `Config::{what}_len`"
        )
    }
}

impl core::error::Error for MemoryError {}

/// Why a decoder cannot be made or cannot read tokens. Nothing has changed then: the cache holds
/// the positions that it held before.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum DecodeError {
    /// The position encoding overrides other columns than the model's.
    Override {
        /// The model's.
        model: OverrideBlock,
        /// The encoding's.
        encoding: OverrideBlock,
    },
    /// The position encoding rotates heads and the model's does not, or the reverse.
    Rotation {
        /// Whether the model's does.
        model: bool,
    },
    /// A matrix is stored as floats, which integer arithmetic cannot use.
    NotInteger {
        /// The matrix.
        tensor: TensorId,
    },
    /// The outputs of this tensor could overflow in integer arithmetic.
    Range {
        /// The tensor.
        tensor: TensorId,
    },
    /// No tokens were given.
    NoTokens,
    /// A token is not in the vocabulary.
    Token {
        /// Its index among the tokens given.
        index: usize,
        /// The token.
        token: u32,
        /// The vocabulary's size.
        vocab: usize,
    },
    /// More tokens were given than the workspace can hold at a time.
    Chunk {
        /// Tokens given.
        found: usize,
        /// The workspace's chunk.
        chunk: usize,
    },
    /// The cache has no room for the tokens.
    CacheFull {
        /// Positions needed, including those already cached.
        needed: usize,
        /// Positions that it can hold.
        capacity: usize,
    },
    /// The cache was made by the decoder of another model.
    OtherCache,
    /// The workspace was made by the decoder of another model.
    OtherWorkspace,
    /// The workspace is too small for this cache.
    Workspace(MemoryError),
    /// A position is beyond the encoding's length.
    Position(PositionError),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Override { model, encoding } => write!(
                f,
                "the position encoding overrides {} columns with {} values, the model's {} with {}",
                encoding.width, encoding.digits, model.width, model.digits
            ),
            Self::Rotation { model: true } => {
                f.write_str("the model rotates its heads, the position encoding does not")
            }
            Self::Rotation { model: false } => {
                f.write_str("the position encoding rotates heads, the model does not")
            }
            Self::NotInteger { tensor } => write!(
                f,
                "{tensor} is stored as floats, which integer arithmetic cannot use; \
                 export the model as int8, int4 or integer"
            ),
            Self::Range { tensor } => write!(
                f,
                "the outputs of {tensor} could leave 32 bits in integer arithmetic; \
                 run the model in floating point"
            ),
            Self::NoTokens => f.write_str("no tokens were given; begin with at least one"),
            Self::Token { index, token, vocab } => {
                write!(f, "token {token} at index {index} is not in the vocabulary of {vocab}")
            }
            Self::Chunk { found, chunk } => {
                write!(f, "{found} tokens at a time exceed the workspace, made for {chunk}")
            }
            Self::CacheFull { needed, capacity } => write!(
                f,
                "{needed} positions do not fit in the cache of {capacity}; \
                 truncate or clear it, or make a larger one"
            ),
            Self::OtherCache => f.write_str("the cache was made for another model"),
            Self::OtherWorkspace => f.write_str("the workspace was made for another model"),
            Self::Workspace(error) => error.fmt(f),
            Self::Position(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for DecodeError {}

impl From<PositionError> for DecodeError {
    fn from(error: PositionError) -> Self {
        Self::Position(error)
    }
}

impl From<MemoryError> for DecodeError {
    fn from(error: MemoryError) -> Self {
        Self::Workspace(error)
    }
}
