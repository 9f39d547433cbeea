//! Byte pair encoding in `expe-core` compared with the `tokenizers` library.
#![cfg(feature = "bpe")]

use std::fs;
use std::sync::LazyLock;

use expe::data::{DataError, Tokenizer, stories};
use proptest::prelude::*;

fn train(texts: &[&str], vocab_size: usize) -> Tokenizer {
    Tokenizer::train_bpe(texts, vocab_size).unwrap()
}

/// Saves with our code and loads with the library.
fn theirs(ours: &Tokenizer) -> tokenizers::Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    ours.save(&path).unwrap();
    tokenizers::Tokenizer::from_file(path).unwrap()
}

static TRAINED: LazyLock<(Tokenizer, tokenizers::Tokenizer)> = LazyLock::new(|| {
    let code =
        "fn main() {\n    let x: Vec<u32> = vec![1, 2, 3];\n    for y in &x {\n\t\tf(y);\r\n}\n";
    let foreign = "Größe naïve 漢字 漢字 🦀🦀 \u{a0}\u{2003}a\u{300} ";
    let texts = [stories::text(1, 100_000), code.repeat(20), foreign.repeat(20)];
    let ours = train(&texts.each_ref().map(String::as_str), 700);
    let theirs = theirs(&ours);
    (ours, theirs)
});

#[track_caller]
fn same(text: &str) {
    let (ours, theirs) = &*TRAINED;
    let tokens = ours.encode(text);
    assert_eq!(tokens, theirs.encode_fast(text, false).unwrap().get_ids(), "{text:?}");
    assert_eq!(ours.decode(&tokens), text);
    assert_eq!(theirs.decode(&tokens, false).unwrap(), text);
}

#[test]
fn both_encode_typical_text_equally() {
    same("");
    same(&stories::text(2, 20_000));
    same(include_str!("data_tokenizer.rs"));
    same(
        "  two\n\n \t\r\n three    \u{a0} nbsp\u{2003}em\u{3000}ideographic \u{85}nel\u{b}vt\u{c}ff",
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn both_encode_any_text_equally(text in "\\PC{0,60}") {
        same(&text);
    }

    #[test]
    fn both_encode_any_whitespace_equally(text in "[ \t\r\nabthe.\u{a0}é漢🦀]{0,80}") {
        same(&text);
    }

    #[test]
    fn any_bytes_survive_a_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let (ours, _) = &*TRAINED;
        prop_assert_eq!(ours.decode_bytes(&ours.encode_bytes(&bytes)), bytes.clone());
        prop_assert_eq!(Tokenizer::Byte.decode_bytes(&Tokenizer::Byte.encode_bytes(&bytes)), bytes);
    }
}

#[test]
fn ids_are_bytes_then_merges() {
    let (ours, theirs) = &*TRAINED;
    assert_eq!(ours.vocab_size(), 700);
    assert_eq!(theirs.get_vocab_size(true), 700);
    assert_eq!(ours.merges().len(), 700 - 256);
    for byte in 0..=u8::MAX {
        assert_eq!(ours.decode_bytes(&[byte.into()]), [byte]);
    }
    for (rank, &(left, right)) in ours.merges().iter().enumerate() {
        assert_eq!(ours.decode_bytes(&[256 + rank as u32]), ours.decode_bytes(&[left, right]));
    }
    assert!(ours.decode_bytes(&[700, u32::MAX]).is_empty());
}

#[test]
fn merges_shorten_text() {
    let (ours, _) = &*TRAINED;
    let text = stories::text(3, 10_000);
    let tokens = ours.encode(&text).len();
    assert!(tokens * 2 < text.len(), "{tokens} tokens for {} bytes", text.len());
}

#[test]
fn training_is_deterministic() {
    let text = stories::text(5, 60_000);
    // The library seeds its hash tables for every trainer, so equal results are not a coincidence.
    let first = train(&[&text], 900);
    for _ in 0..3 {
        assert_eq!(train(&[&text], 900).merges(), first.merges());
    }
    let halves = text.split_at(text.find("\n\n").unwrap() + 2);
    assert_eq!(train(&[halves.0, halves.1], 900).merges(), first.merges());
}

#[test]
fn a_saved_tokenizer_loads_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    for tokenizer in [&TRAINED.0, &Tokenizer::Byte] {
        tokenizer.save(&path).unwrap();
        let read = Tokenizer::load(&path).unwrap();
        assert_eq!(read.merges(), tokenizer.merges());
        assert_eq!(read.vocab_size(), tokenizer.vocab_size());
    }
    let bytes = tokenizers::Tokenizer::from_file(&path).unwrap();
    let text = "byte by byte: ä\n";
    assert_eq!(bytes.encode_fast(text, false).unwrap().get_ids(), Tokenizer::Byte.encode(text));
}

#[test]
fn files_written_by_the_library_can_be_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    TRAINED.1.save(&path, true).unwrap();
    assert_eq!(Tokenizer::load(&path).unwrap().merges(), TRAINED.0.merges());
}

#[test]
fn other_kinds_of_tokenizers_are_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    TRAINED.0.save(&path).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let swapped = good.replace("\"a\": 97,", "\"a\": 98,").replace("\"b\": 98,", "\"b\": 97,");
    let cases = [
        ("", "JSON"),
        ("{}", "pre_tokenizer"),
        (
            &good.replace("\"add_prefix_space\": false", "\"add_prefix_space\": true"),
            "pre_tokenizer",
        ),
        (
            &good.replace("\"normalizer\": null", "\"normalizer\": {\"type\": \"NFC\"}"),
            "normalizer",
        ),
        (&good.replace("\"type\": \"BPE\"", "\"type\": \"WordPiece\""), "WordPiece"),
        (&swapped, "ids must be the bytes in order"),
        (&good.replace("\"a\": 97,", ""), "not in the vocabulary"),
        (&good.replace("\"a\": 97,", "\"a\": 97, \"more\": 999,"), "701 tokens, expected 700"),
    ];
    for (text, expected) in cases {
        assert_ne!(text, good);
        fs::write(&path, text).unwrap();
        match Tokenizer::load(&path) {
            Err(DataError::BadTokenizer { reason, .. }) => {
                assert!(reason.contains(expected), "{reason:?} does not say {expected:?}");
            }
            other => panic!("{expected}: {other:?}"),
        }
    }
    let missing = Tokenizer::load(&folder.path().join("missing"));
    assert!(matches!(missing, Err(DataError::NotFound(_))));
}

#[test]
fn sizes_out_of_range_are_rejected_and_short_texts_work() {
    for size in [0, 256, 65_537, usize::MAX] {
        assert!(matches!(Tokenizer::train_bpe(&["text"], size), Err(DataError::Training(_))));
    }
    // No pair occurs twice, so there is nothing to merge.
    assert_eq!(train(&["abc"], 300).vocab_size(), 256);
    assert_eq!(train(&[], 300).vocab_size(), 256);
    assert_eq!(train(&["ab ab"], 300).merges(), [(97, 98)]);
}
