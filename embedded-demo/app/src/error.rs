//! Why there is no story.

use expe_core::format::FormatError;
use expe_core::model::{DecodeError, MemoryError, SampleError};
use expe_core::position::PositionError;
use expe_core::token::EncodeError;

/// Why there is no story.
#[derive(Debug, Clone, Copy, PartialEq, defmt::Format)]
#[non_exhaustive]
pub enum Error {
    /// The bytes in flash are not a model.
    Format(FormatError),
    /// The model's position encoding cannot be built.
    Position(PositionError),
    /// A buffer is too small for the model.
    Memory(MemoryError),
    /// The prompt does not fit its buffer.
    Encode(EncodeError),
    /// The decoder does not take the tokens.
    Decode(DecodeError),
    /// The logits allow no next token.
    Sample(SampleError),
    /// The buffers are in use: the story is told once.
    Running,
}

/// `?` for the error of one part.
macro_rules! from {
    ($($variant:ident($error:ty)),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from! {
    Format(FormatError),
    Position(PositionError),
    Memory(MemoryError),
    Encode(EncodeError),
    Decode(DecodeError),
    Sample(SampleError),
}
