//! Paths in the input of macros, which has no syntax tree.

/// Append every path of two or more names in the text of a token stream.
pub fn paths(tokens: &str, paths: &mut Vec<Vec<String>>) {
    let mut path: Vec<String> = Vec::new();
    let mut joined = true;
    let mut rest = tokens;
    let mut finish = |path: &mut Vec<String>| {
        if path.len() > 1 {
            paths.push(std::mem::take(path));
        }
        path.clear();
    };
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = rest.trim_start();
        } else if first == '"' {
            rest = skip_text(rest);
            finish(&mut path);
        } else if let Some(after) = rest.strip_prefix("::") {
            joined = true;
            rest = after;
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            if !joined {
                finish(&mut path);
            }
            path.push(rest[..end].into());
            joined = false;
            rest = &rest[end..];
        } else {
            finish(&mut path);
            joined = false;
            rest = &rest[first.len_utf8()..];
        }
    }
    finish(&mut path);
}

/// What follows a string literal.
fn skip_text(text: &str) -> &str {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

#[test]
fn paths_in_macro_input_are_found() {
    let mut found = Vec::new();
    let text =
        r#"$crate :: num::Phase , x . y, "crate::text::in_a_string", super :: kernels :: dot(a)"#;
    paths(text, &mut found);
    let expected: [&[&str]; 2] = [&["crate", "num", "Phase"], &["super", "kernels", "dot"]];
    assert_eq!(found, expected);
}
