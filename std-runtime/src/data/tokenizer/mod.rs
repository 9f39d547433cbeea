//! Conversion between text and token ids.

mod alphabet;
mod bpe;
mod file;
#[cfg(feature = "bpe")]
mod train;

use std::fs;
use std::io::Write;
use std::path::Path;

pub use self::bpe::BytePairs;
use self::bpe::Encoder;
use super::DataError;
use crate::atomic::write_atomically;

/// A reversible map from text to token ids.
///
/// Both kinds are byte-level: ids 0–255 are the bytes, so every text can be encoded without an unknown token. Byte
/// pair encoding adds merges: merge `rank` replaces its pair with id `256 + rank`. It first splits the text into
/// pieces: runs of non-whitespace, preceded by at most one space, and runs of whitespace (space, tab, line feed and
/// carriage return). Then it merges pairs within each piece, those of the lowest rank first, from left to right.
///
/// ```
/// use expe::data::Tokenizer;
/// let tokens = Tokenizer::Byte.encode("hé");
/// assert_eq!(tokens, [104, 195, 169]);
/// assert_eq!(Tokenizer::Byte.decode(&tokens), "hé");
/// ```
#[derive(Debug, Clone)]
pub enum Tokenizer {
    /// One token per byte.
    Byte,
    /// Byte pair encoding.
    Bpe(BytePairs),
}

/// Maximum vocabulary size of [`Tokenizer::train_bpe`]; ids fit in 16 bits.
pub const MAX_VOCAB_SIZE: usize = 1 << 16;

impl Tokenizer {
    /// Creates the tokenizer with these merges, or [`Tokenizer::Byte`] if there are none.
    ///
    /// # Errors
    /// [`DataError::BadMerges`] if a merge uses a token that does not exist before it.
    pub fn from_merges(pairs: &[(u32, u32)]) -> Result<Self, DataError> {
        Ok(Self::from(BytePairs::new(pairs.to_vec())?))
    }

    /// Learns a byte pair encoding from texts.
    ///
    /// The vocabulary has `vocab_size` tokens, or fewer if no further pair occurs twice. The same texts always give
    /// the same tokenizer.
    ///
    /// # Errors
    /// [`DataError::Training`] for a size below 257 or above 65 536, and without the feature `bpe`.
    pub fn train_bpe(texts: &[&str], vocab_size: usize) -> Result<Self, DataError> {
        if !(257..=MAX_VOCAB_SIZE).contains(&vocab_size) {
            return Err(DataError::Training(format!(
                "the vocabulary has {vocab_size} tokens; it can have 257 to {MAX_VOCAB_SIZE} \
                 tokens (the 256 bytes and at least one merge)"
            )));
        }
        #[cfg(feature = "bpe")]
        return train::learn(texts, vocab_size).map(Self::from).map_err(DataError::Training);
        #[cfg(not(feature = "bpe"))]
        Err(DataError::Training(format!(
            "learning merges from {} texts needs the feature `bpe`, which is disabled in this build",
            texts.len()
        )))
    }

    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`DataError::NotFound`] or [`NotReadable`](DataError::NotReadable), and
    /// [`BadTokenizer`](DataError::BadTokenizer) for a file that is damaged or describes another kind of
    /// tokenizer.
    pub fn load(path: &Path) -> Result<Self, DataError> {
        let text = fs::read_to_string(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => DataError::NotFound(path.into()),
            _ => DataError::NotReadable { path: path.into(), source },
        })?;
        let merges = file::from_json(&text)
            .map_err(|reason| DataError::BadTokenizer { path: path.into(), reason })?;
        Ok(Self::from(merges))
    }

    /// Writes a `tokenizer.json` that the `tokenizers` library of Hugging Face can also read.
    ///
    /// # Errors
    /// [`DataError::Write`] if the file cannot be written; an old file then remains unchanged.
    pub fn save(&self, path: &Path) -> Result<(), DataError> {
        let merges = match self {
            Self::Byte => &BytePairs::new(Vec::new())?,
            Self::Bpe(merges) => merges,
        };
        let text = file::to_json(merges).map_err(std::io::Error::from)?;
        Ok(write_atomically(path, |file| file.write_all(text.as_bytes()))?)
    }

    /// Copies a tokenizer of `expe-core`, such as that of an `.expe` file.
    ///
    /// # Errors
    /// [`DataError::BadMerges`] if a merge uses a token that does not exist before it.
    pub fn from_core(tokenizer: expe_core::Tokenizer<'_>) -> Result<Self, DataError> {
        match tokenizer {
            expe_core::Tokenizer::Bytes => Ok(Self::Byte),
            expe_core::Tokenizer::Bpe(bpe) => {
                let pairs: Vec<_> =
                    bpe.merges().iter().map(|[left, right, _]| (*left, *right)).collect();
                Self::from_merges(&pairs)
            }
        }
    }

    /// Returns this tokenizer as the type of `expe-core`, for the engine and for `.expe` files.
    pub fn core(&self) -> expe_core::Tokenizer<'_> {
        match self {
            Self::Byte => expe_core::Tokenizer::Bytes,
            Self::Bpe(merges) => expe_core::Tokenizer::Bpe(merges.core()),
        }
    }

    /// Returns the number of tokens. All ids are less than it.
    pub fn vocab_size(&self) -> usize {
        self.core().vocab()
    }

    /// Returns the merged pairs, by rank: pair `rank` becomes token `256 + rank`. Empty for bytes.
    pub fn merges(&self) -> &[(u32, u32)] {
        match self {
            Self::Byte => &[],
            Self::Bpe(merges) => merges.pairs(),
        }
    }

    /// Encodes a text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.encode_bytes(text.as_bytes())
    }

    /// Encodes bytes that need not be UTF-8.
    pub fn encode_bytes(&self, text: &[u8]) -> Vec<u32> {
        self.encode_texts([text])
    }

    /// Encodes texts separately and concatenates their tokens. This is faster than one call per text, because equal
    /// pieces are encoded only once.
    pub fn encode_texts<'t>(&self, texts: impl IntoIterator<Item = &'t [u8]>) -> Vec<u32> {
        let mut tokens = Vec::new();
        match self {
            Self::Byte => {
                for text in texts {
                    tokens.extend(text.iter().copied().map(u32::from));
                }
            }
            Self::Bpe(merges) => {
                let mut encoder = Encoder::new(merges.core());
                for text in texts {
                    encoder.encode(text, &mut tokens);
                }
            }
        }
        tokens
    }

    /// Decodes tokens to bytes. Ids outside the vocabulary are ignored.
    pub fn decode_bytes(&self, tokens: &[u32]) -> Vec<u8> {
        let core = self.core();
        tokens.iter().filter_map(|&token| core.decode(token)).flatten().collect()
    }

    /// Decodes tokens to text. Invalid UTF-8, such as an incomplete character, becomes U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        String::from_utf8_lossy(&self.decode_bytes(tokens)).into_owned()
    }
}

impl From<BytePairs> for Tokenizer {
    fn from(merges: BytePairs) -> Self {
        if merges.pairs().is_empty() { Self::Byte } else { Self::Bpe(merges) }
    }
}
