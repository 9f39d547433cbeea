//! Logging of generated text line by line.

use expe_core::TextStream;
use heapless::String;

/// Number of columns after which a line is broken at the next space.
const COLUMNS: usize = 64;

/// Collects the bytes of a story and logs them line by line.
#[derive(Default)]
pub struct TextPrinter {
    stream: TextStream,
    // Has twice the capacity, so that only words of more than 64 bytes are broken.
    line: String<{ 2 * COLUMNS }>,
}

impl TextPrinter {
    /// Adds the bytes of a token.
    pub fn print(&mut self, bytes: impl Iterator<Item = u8>) {
        let line = &mut self.line;
        for byte in bytes {
            self.stream.push(byte, |character| push(line, character));
        }
    }

    /// Logs the remaining text.
    pub fn finish(mut self) {
        let line = &mut self.line;
        self.stream.finish(|character| push(line, character));
        log(line);
    }
}

/// Adds a character, and logs the line if it is complete.
fn push(line: &mut String<{ 2 * COLUMNS }>, character: char) {
    let full = line.len() >= COLUMNS && character == ' ';
    if character == '\n' || full {
        log(line);
    } else if line.push(character).is_err() {
        log(line);
        // An empty line has room for any character.
        let _ = line.push(character);
    }
}

fn log(line: &mut String<{ 2 * COLUMNS }>) {
    if !line.is_empty() {
        defmt::println!("{=str}", line.as_str());
        line.clear();
    }
}
