use core::fmt;

use crate::format::FormatError;
use crate::model::{DecodeError, MemoryError, SampleError};
use crate::position::PositionError;
use crate::token::EncodeError;

/// Any error of the crate, so that one `?` serves from the file to the text.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a valid model file.
    Format(FormatError),
    /// A position encoding cannot be built, or a position is beyond its length.
    Position(PositionError),
    /// A buffer is too small.
    Memory(MemoryError),
    /// The text does not fit its buffer.
    Encode(EncodeError),
    /// The decoder cannot be made or cannot read the tokens.
    Decode(DecodeError),
    /// The sampler cannot be made or cannot choose a token.
    Sample(SampleError),
}

/// `From` and `Display` follow the variants.
macro_rules! variants {
    ($($variant:ident($error:ty)),* $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*

        impl fmt::Display for Error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant(error) => error.fmt(f),)*
                }
            }
        }
    };
}

variants! {
    Format(FormatError),
    Position(PositionError),
    Memory(MemoryError),
    Encode(EncodeError),
    Decode(DecodeError),
    Sample(SampleError),
}

impl core::error::Error for Error {}
