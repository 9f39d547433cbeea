//! Small pieces of text that several commands print.

use expe_core::{TextStream, Tokenizer};

/// A number of bytes for people: `812 B`, `45.2 KB`, `3.1 MB` (powers of 1000).
pub fn bytes(count: usize) -> String {
    let count = count as f64;
    match count {
        small if small < 1e3 => format!("{small} B"),
        kilo if kilo < 1e6 => format!("{:.1} KB", kilo / 1e3),
        mega => format!("{:.1} MB", mega / 1e6),
    }
}

/// The tokens of `text`.
pub fn encode(tokenizer: Tokenizer<'_>, text: &str) -> Vec<u32> {
    let mut tokens = vec![0; text.len()];
    // There are never more tokens than bytes.
    tokenizer.encode(text.as_bytes(), &mut tokens).map(<[u32]>::to_vec).unwrap_or_default()
}

/// Turns tokens into text as they come: characters are held back until they are complete.
#[derive(Debug)]
pub struct TokenPrinter<'a> {
    tokenizer: Tokenizer<'a>,
    stream: TextStream,
}

impl<'a> TokenPrinter<'a> {
    /// A printer at the start of a text.
    pub fn new(tokenizer: Tokenizer<'a>) -> Self {
        Self { tokenizer, stream: TextStream::new() }
    }

    /// The characters that are complete with `token`.
    pub fn push(&mut self, token: u32) -> String {
        let mut text = String::new();
        for byte in self.tokenizer.decode(token).into_iter().flatten() {
            self.stream.push(byte, |c| text.push(c));
        }
        text
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> String {
        let mut text = String::new();
        self.stream.finish(|c| text.push(c));
        text
    }
}
