//! Cutting long texts where no token can lie across.

/// Cut `text` into stretches of about `size` bytes, each ending with a line break before the first
/// character of the next line. A piece holds either whitespace or, after at most one space, none
/// (see [`super::file::PIECE`]), so none lies across such a place, and the stretches have the tokens
/// that the whole has. Where there is no such place, a stretch is longer.
pub(super) fn chunks(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (chunk, after) = rest.split_at(first_cut(rest.as_bytes(), size));
        rest = after;
        Some(chunk)
    })
}

fn first_cut(text: &[u8], size: usize) -> usize {
    let is_space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let from = size.clamp(1, text.len());
    text[from - 1..]
        .windows(2)
        .position(|pair| pair[0] == b'\n' && !is_space(pair[1]))
        .map_or(text.len(), |place| from + place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_after_line_breaks_only() {
        let text = "ab\ncd\n ef\n\ngh ij\n";
        let cut: Vec<&str> = chunks(text, 1).collect();
        assert_eq!(cut, ["ab\n", "cd\n ef\n\n", "gh ij\n"]);
        assert_eq!(chunks(text, 5).collect::<Vec<_>>(), ["ab\ncd\n ef\n\n", "gh ij\n"]);
        assert_eq!(chunks(text, 1000).collect::<String>(), text);
        assert_eq!(chunks("", 1).count(), 0);
    }
}
