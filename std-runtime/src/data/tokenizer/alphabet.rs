//! The printable characters that represent bytes in a byte-level `tokenizer.json`.
//!
//! This is the table of GPT-2: printable Latin-1 bytes represent themselves, and the other bytes are mapped in
//! increasing order to the characters from U+0100 on.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The character of every byte.
static CHARACTERS: LazyLock<[char; 256]> = LazyLock::new(|| {
    let mut next = 0x100_u32;
    std::array::from_fn(|byte| {
        let byte = byte as u8;
        if matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff) {
            return char::from(byte);
        }
        let character = char::from_u32(next).unwrap_or(char::REPLACEMENT_CHARACTER);
        next += 1;
        character
    })
});

/// Returns the name of a token.
pub(super) fn name(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| CHARACTERS[usize::from(byte)]).collect()
}

/// Returns the mapping from characters to bytes.
pub(super) fn bytes() -> HashMap<char, u8> {
    CHARACTERS.iter().copied().zip(0..=u8::MAX).collect()
}

#[cfg(all(test, feature = "bpe"))]
mod tests {
    use std::collections::HashSet;

    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    #[test]
    fn matches_the_alphabet_of_the_tokenizers_library() {
        let ours: HashSet<char> = super::CHARACTERS.iter().copied().collect();
        let theirs: HashSet<char> = ByteLevel::alphabet().into_iter().collect();
        assert_eq!(ours, theirs);
    }
}
