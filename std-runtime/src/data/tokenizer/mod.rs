//! Text to token ids and back.

/// A reversible map from text to token ids.
///
/// Byte-level: ids 0–255 are the bytes, so every text has tokens and there is no unknown token.
///
/// ```
/// use expe_runtime::data::Tokenizer;
/// let tokens = Tokenizer::Byte.encode("hé");
/// assert_eq!(tokens, [104, 195, 169]);
/// assert_eq!(Tokenizer::Byte.decode(&tokens), "hé");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Tokenizer {
    /// One token per byte.
    Byte,
}

impl Tokenizer {
    /// Number of different tokens; ids are below it.
    pub fn vocab_size(&self) -> usize {
        256
    }

    /// The pairs that are merged, by rank: pair `rank` becomes token `256 + rank`. Empty for bytes.
    pub fn merges(&self) -> &[(u32, u32)] {
        &[]
    }

    /// Encode a text.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.encode_bytes(text.as_bytes())
    }

    /// Encode bytes that need not be UTF-8.
    pub fn encode_bytes(&self, text: &[u8]) -> Vec<u32> {
        self.encode_texts([text])
    }

    /// Encode texts, each by itself, and put their tokens end to end.
    pub fn encode_texts<'t>(&self, texts: impl IntoIterator<Item = &'t [u8]>) -> Vec<u32> {
        texts.into_iter().flatten().copied().map(u32::from).collect()
    }

    /// Decode to bytes; ids that are not in the vocabulary give none.
    pub fn decode_bytes(&self, tokens: &[u32]) -> Vec<u8> {
        tokens.iter().filter_map(|&token| u8::try_from(token).ok()).collect()
    }

    /// Decode to text; what is not UTF-8, a character cut in two for example, becomes U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        String::from_utf8_lossy(&self.decode_bytes(tokens)).into_owned()
    }
}
