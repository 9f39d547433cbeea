use core::fmt;

/// An error in a table of merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum MergeError {
    /// A merge refers to a token that does not exist before it.
    Reference {
        /// The merge's rank.
        rank: usize,
        /// The token it refers to.
        token: u32,
    },
    /// The stored length of a merged token is not the sum of the lengths of its parts, or is too large.
    Length {
        /// The merge's rank.
        rank: usize,
        /// The length it must be.
        expected: u32,
        /// The stored length.
        found: u32,
    },
    /// There are more merges than token numbers, or than records to store them in.
    TooMany {
        /// Number of merges.
        merges: usize,
        /// Largest possible number of merges.
        room: usize,
    },
}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Reference { rank, token } => {
                write!(f, "merge {rank} refers to token {token}, which does not exist before it")
            }
            Self::Length { rank, expected, found } => write!(
                f,
                "merge {rank} makes a token of {expected} bytes, the table says {found}; \
                 at most {} are possible",
                super::MAX_TOKEN_BYTES
            ),
            Self::TooMany { merges, room } => {
                write!(f, "{merges} merges, but room for {room}")
            }
        }
    }
}

impl core::error::Error for MergeError {}

/// A buffer is too small for the tokens of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EncodeError {
    /// A length that is large enough: the number of bytes of the text.
    pub sufficient: usize,
    /// The length of the buffer.
    pub found: usize,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sufficient, found } = self;
        write!(f, "the text has more than {found} tokens; {sufficient} places suffice")
    }
}

impl core::error::Error for EncodeError {}
