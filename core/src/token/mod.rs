//! Tokenizers: single bytes, or byte-level byte-pair encoding.

pub(crate) mod bpe;
pub(crate) mod error;
pub(crate) mod limits;
mod text;

pub(crate) use bpe::Bpe;
pub use error::EncodeError;
pub(crate) use error::MergeError;
pub(crate) use limits::MAX_TOKEN_BYTES;
pub use text::TextStream;

use limits::BYTES;

/// A model's tokenizer.
///
/// ```
/// use expe_core::Tokenizer;
/// let mut tokens = [0; 8];
/// assert_eq!(Tokenizer::Bytes.encode(b"Hi", &mut tokens)?, &[72, 105]);
/// assert!(Tokenizer::Bytes.decode(72).unwrap().eq(*b"H"));
/// # Ok::<(), expe_core::EncodeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokenizer<'a> {
    /// Every token is a byte.
    Bytes,
    /// Byte-level byte-pair encoding.
    Bpe(Bpe<'a>),
}

impl<'a> Tokenizer<'a> {
    /// Returns the size of the vocabulary: 256 bytes and one token per merge.
    pub const fn vocab(&self) -> usize {
        match self {
            Self::Bytes => BYTES,
            Self::Bpe(bpe) => bpe.vocab(),
        }
    }

    /// Encodes `text` into the front of `tokens` and returns the tokens.
    ///
    /// A buffer of `text.len()` elements is always large enough.
    ///
    /// # Errors
    /// [`EncodeError`] if the buffer is too small.
    pub fn encode<'t>(&self, text: &[u8], tokens: &'t mut [u32]) -> Result<&'t [u32], EncodeError> {
        let bpe = match self {
            Self::Bytes => Bpe::default(),
            Self::Bpe(bpe) => *bpe,
        };
        bpe.encode(text, tokens)
    }

    /// Returns the bytes of `token`; `None` if it is not in the vocabulary.
    ///
    /// A token may contain incomplete characters: use a [`TextStream`] to print it.
    pub fn decode(&self, token: u32) -> Option<impl Iterator<Item = u8> + use<'a>> {
        match self {
            Self::Bytes => Bpe::default(),
            Self::Bpe(bpe) => *bpe,
        }
        .decode(token)
    }
}
