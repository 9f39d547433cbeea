use core::fmt;

use super::constants::{ALIGNMENT, OLDEST_VERSION, VERSION};
use crate::shape::ConfigError;
use crate::shape::{DType, TensorId};
use crate::token::MergeError;

/// Why bytes are not a model file, or why a model cannot be written as one.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum FormatError {
    /// The file ends before what it must hold.
    TooShort {
        /// Bytes needed.
        needed: u64,
        /// Bytes found.
        found: u64,
    },
    /// The first eight bytes are not a model file's.
    Magic,
    /// The file's version is unknown.
    Version {
        /// The file's version.
        found: u32,
    },
    /// A length in the file contradicts the rest of the file.
    Length {
        /// Which length.
        what: &'static str,
        /// The value it must have.
        expected: u64,
        /// The value it has.
        found: u64,
    },
    /// The bytes do not begin at a multiple of [`ALIGNMENT`](crate::internals::ALIGNMENT).
    Misaligned {
        /// The address modulo the alignment.
        remainder: usize,
    },
    /// The checksum does not match the bytes: the file is damaged.
    Checksum {
        /// As stored.
        stored: u32,
        /// As computed.
        computed: u32,
    },
    /// A field has a value that the file's version does not define.
    Unknown {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// A byte that must be zero is not: reserved, unused with these settings, or padding.
    Reserved {
        /// Its offset from the start of the file.
        offset: u64,
    },
    /// The configuration does not describe a model.
    Config(ConfigError),
    /// The model's vocabulary differs from the tokenizer's.
    Vocabulary {
        /// Tokens of the model.
        model: usize,
        /// Tokens of the tokenizer.
        tokenizer: usize,
    },
    /// The tokenizer's merges are invalid.
    Merges(MergeError),
    /// A directory entry contradicts the configuration.
    Entry {
        /// The tensor.
        tensor: TensorId,
        /// The entry's field.
        field: &'static str,
        /// The value it must have.
        expected: u64,
        /// The value it has.
        found: u64,
    },
    /// A weight is infinite or NaN, or a scale is negative.
    NotFinite {
        /// The tensor that holds it.
        tensor: TensorId,
    },
    /// An integer matrix has so many columns that a sum could leave 32 bits.
    Columns {
        /// The tensor.
        tensor: TensorId,
        /// Its columns.
        found: u32,
    },
    /// The tensors of this configuration have more than 2^64 bytes.
    TooLarge,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooShort { needed, found } => {
                write!(f, "the model file needs {needed} bytes, found {found}; it is cut off")
            }
            Self::Magic => f.write_str(
                "not an .expe model file: it does not begin with the format's magic number",
            ),
            Self::Version { found } => write!(
                f,
                "version {found} of the model file is not known, only {} to {}; \
                 export it again or use a newer library",
                OLDEST_VERSION, VERSION
            ),
            Self::Length { what, expected, found } => {
                write!(f, "the {what} must be {expected} bytes, found {found}")
            }
            Self::Misaligned { remainder } => write!(
                f,
                "the model begins {remainder} bytes past a multiple of {}; \
                 align it, in firmware with `include_model!`",
                ALIGNMENT
            ),
            Self::Checksum { stored, computed } => write!(
                f,
                "the checksum is {computed:#010x}, the file says {stored:#010x}; \
                 it is damaged, copy or export it again"
            ),
            Self::Unknown { field, value } => {
                write!(f, "`{field}` is {value}, which the file's version does not define")
            }
            Self::Reserved { offset } => write!(f, "byte {offset} must be zero"),
            Self::Config(error) => write!(f, "the model's configuration: {error}"),
            Self::Vocabulary { model, tokenizer } => write!(
                f,
                "the model has {model} tokens and its tokenizer {tokenizer}; they must agree"
            ),
            Self::Merges(error) => write!(f, "the tokenizer: {error}"),
            Self::Entry { tensor, field, expected, found } => {
                write!(f, "{tensor}: `{field}` must be {expected}, found {found}")
            }
            Self::NotFinite { tensor } => {
                write!(
                    f,
                    "{tensor} holds a weight that is infinite or not a number, or a negative scale"
                )
            }
            Self::Columns { tensor, found } => write!(
                f,
                "{tensor} has {found} columns, too many for sums of 32 bits; \
                 store it as f16 or with larger integers"
            ),
            Self::TooLarge => f.write_str("the tensors of this configuration are too large"),
        }
    }
}

impl core::error::Error for FormatError {}

impl FormatError {
    /// Returns [`Unknown`](Self::Unknown) as a result, for constant functions.
    pub(super) const fn unknown<T>(field: &'static str, value: u32) -> Result<T, Self> {
        Err(Self::Unknown { field, value })
    }
}

impl From<ConfigError> for FormatError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<MergeError> for FormatError {
    fn from(error: MergeError) -> Self {
        Self::Merges(error)
    }
}

/// Why a model cannot be written; `R` is the source's error and `W` the sink's.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum WriteError<R, W> {
    /// The source failed.
    Source(R),
    /// The sink failed.
    Sink(W),
    /// A row of the source has the wrong width.
    Width {
        /// The tensor.
        tensor: TensorId,
        /// The row.
        row: usize,
        /// Its width in the model.
        expected: usize,
        /// Its width in the source.
        found: usize,
    },
    /// A weight is not finite when it is stored as the tensor's dtype.
    OutOfRange {
        /// The tensor.
        tensor: TensorId,
        /// The row.
        row: usize,
        /// The weight.
        value: f32,
        /// How the tensor is stored.
        dtype: DType,
    },
}

impl<R: fmt::Display, W: fmt::Display> fmt::Display for WriteError<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => write!(f, "reading the weights: {error}"),
            Self::Sink(error) => write!(f, "writing the model: {error}"),
            Self::Width { tensor, row, expected, found } => {
                write!(f, "{tensor}, row {row}: expected {expected} columns, found {found}")
            }
            Self::OutOfRange { tensor, row, value, dtype } => {
                write!(f, "{tensor}, row {row}: {value} is not a finite {dtype}")
            }
        }
    }
}

impl<R, W> core::error::Error for WriteError<R, W>
where
    R: fmt::Debug + fmt::Display,
    W: fmt::Debug + fmt::Display,
{
}
