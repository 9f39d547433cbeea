/// Decodes a stream of bytes to characters.
///
/// Bytes of an incomplete character are kept until it is complete, and invalid UTF-8 is replaced by U+FFFD, as
/// [`String::from_utf8_lossy`] does.
///
/// [`String::from_utf8_lossy`]: https://doc.rust-lang.org/std/string/struct.String.html#method.from_utf8_lossy
///
/// ```
/// use expe_core::TextStream;
/// let (mut stream, mut text) = (TextStream::new(), String::new());
/// for byte in "né".bytes().chain([0xff]) {
///     stream.push(byte, |c| text.push(c));
/// }
/// stream.finish(|c| text.push(c));
/// assert_eq!(text, "né\u{fffd}");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextStream {
    pending: [u8; 4],
    len: usize,
}

impl TextStream {
    /// Creates an empty stream.
    pub const fn new() -> Self {
        Self { pending: [0; 4], len: 0 }
    }

    /// Takes one byte and calls `emit` with the characters that it completes, at most two.
    pub fn push(&mut self, byte: u8, mut emit: impl FnMut(char)) {
        if let Some(place) = self.pending.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
        while let Some(bytes) = self.pending.get(..self.len) {
            let drop = match core::str::from_utf8(bytes) {
                Ok(text) => {
                    text.chars().for_each(&mut emit);
                    self.len
                }
                Err(error) => match error.error_len() {
                    None => return,
                    Some(bad) => {
                        emit(char::REPLACEMENT_CHARACTER);
                        bad
                    }
                },
            };
            // The buffer holds a prefix of one character, so the bytes to drop are at its front.
            self.pending.rotate_left(drop.min(4));
            self.len -= drop;
            if self.len == 0 {
                return;
            }
        }
    }

    /// Ends the stream: an incomplete character becomes U+FFFD.
    pub fn finish(&mut self, mut emit: impl FnMut(char)) {
        if self.len > 0 {
            emit(char::REPLACEMENT_CHARACTER);
            self.len = 0;
        }
    }
}
