use expe_core::{TextStream, Tokenizer};

/// Returns the tokens of `text`.
pub fn encode(tokenizer: Tokenizer<'_>, text: &str) -> Vec<u32> {
    let mut tokens = vec![0; text.len()];
    // A text never has more tokens than bytes, so the buffer is large enough.
    tokenizer.encode(text.as_bytes(), &mut tokens).map(<[u32]>::to_vec).unwrap_or_default()
}

/// Converts tokens to text one at a time. A character whose bytes span several tokens is held back until it is
/// complete.
///
/// ```
/// use expe::engine::TextDecoder;
/// use expe_core::Tokenizer;
///
/// let mut decoder = TextDecoder::new(Tokenizer::Bytes);
/// assert_eq!(decoder.push(195), "");
/// assert_eq!(decoder.push(169), "é");
/// assert_eq!(decoder.finish(), "");
/// ```
#[derive(Debug)]
pub struct TextDecoder<'a> {
    tokenizer: Tokenizer<'a>,
    stream: TextStream,
}

impl<'a> TextDecoder<'a> {
    /// Creates a decoder at the start of a text.
    pub fn new(tokenizer: Tokenizer<'a>) -> Self {
        Self { tokenizer, stream: TextStream::new() }
    }

    /// Returns the characters that `token` completes.
    pub fn push(&mut self, token: u32) -> String {
        let mut text = String::new();
        for byte in self.tokenizer.decode(token).into_iter().flatten() {
            self.stream.push(byte, |c| text.push(c));
        }
        text
    }

    /// Returns what remains at the end: U+FFFD for each incomplete character.
    pub fn finish(&mut self) -> String {
        let mut text = String::new();
        self.stream.finish(|c| text.push(c));
        text
    }
}
