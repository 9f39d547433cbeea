//! Compares the tokenizers with simple implementations.

use std::collections::HashMap;

use expe_core::internals::{Bpe, MergeError};
use expe_core::{EncodeError, TextStream, Tokenizer};
use proptest::prelude::*;

/// Returns the matches of the regular expression ` ?[^ \t\r\n]+|[ \t\r\n]+`.
fn pieces(text: &[u8]) -> Vec<&[u8]> {
    let is_space = |byte: u8| b" \t\r\n".contains(&byte);
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let word = start + usize::from(text[start] == b' ');
        let mut end = word;
        while end < text.len() && !is_space(text[end]) {
            end += 1;
        }
        if end == word {
            end = start;
            while end < text.len() && is_space(text[end]) {
                end += 1;
            }
        }
        pieces.push(&text[start..end]);
        start = end;
    }
    pieces
}

/// Merges one pair at a time: that of the lowest rank, and the leftmost of equal rank.
fn encode(pairs: &[(u32, u32)], text: &[u8]) -> Vec<u32> {
    let mut ranks = HashMap::new();
    for (pair, id) in pairs.iter().zip(256u32..) {
        ranks.entry(*pair).or_insert(id);
    }
    let mut tokens = Vec::new();
    for piece in pieces(text) {
        let mut piece: Vec<u32> = piece.iter().map(|byte| u32::from(*byte)).collect();
        let lowest = |piece: &[u32]| {
            let ids = piece.windows(2).map(|pair| ranks.get(&(pair[0], pair[1])));
            let ids = ids.enumerate().filter_map(|(at, id)| Some((*id?, at)));
            ids.min()
        };
        while let Some((id, at)) = lowest(&piece) {
            piece.splice(at..at + 2, [id]);
        }
        tokens.extend(piece);
    }
    tokens
}

/// Merges over a small alphabet, so that they apply often and overlap.
fn merges() -> impl Strategy<Value = Vec<(u32, u32)>> {
    let part = (any::<prop::sample::Index>(), any::<bool>());
    prop::collection::vec((part.clone(), part), 0..40).prop_map(|parts| {
        let mut pairs = Vec::new();
        for (rank, (left, right)) in parts.into_iter().enumerate() {
            let pick = |(index, byte): (prop::sample::Index, bool)| match rank {
                0 => u32::from(b"ab "[index.index(3)]),
                _ if byte => u32::from(b"ab "[index.index(3)]),
                _ => 256 + index.index(rank) as u32,
            };
            pairs.push((pick(left), pick(right)));
        }
        pairs
    })
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(b"aaaabb  c\n\t\xff".to_vec()), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bpe_is_lowest_rank_first_and_decodes_to_the_text(pairs in merges(), text in texts()) {
        let mut records = vec![[0; 3]; pairs.len()];
        let Ok(bpe) = Bpe::build(pairs.iter().copied(), &mut records) else {
            // Doubling forty times would exceed the longest allowed token.
            return Ok(());
        };
        let mut tokens = vec![0; text.len()];
        let tokens = bpe.encode(&text, &mut tokens).unwrap();
        prop_assert_eq!(tokens, encode(&pairs, &text));
        let decoded: Vec<u8> = tokens.iter().flat_map(|token| bpe.decode(*token).unwrap()).collect();
        prop_assert_eq!(decoded, text);
    }

    #[test]
    fn any_table_of_merges_is_accepted_or_rejected(
        records in prop::collection::vec([0u32..300, 0u32..300, 0u32..6], 0..20)
    ) {
        if let Ok(bpe) = Bpe::new(&records) {
            for token in 0..=bpe.vocab() as u32 {
                let bytes = bpe.decode(token);
                prop_assert_eq!(bytes.is_some(), (token as usize) < bpe.vocab());
                prop_assert!(bytes.is_none_or(|bytes| bytes.count() <= 6));
            }
        }
    }

    #[test]
    fn the_stream_is_lossy_utf8(parts in prop::collection::vec(
        prop_oneof![any::<char>().prop_map(|c| c.to_string().into_bytes()), any::<[u8; 2]>().prop_map(Vec::from)],
        0..40,
    )) {
        let bytes = parts.concat();
        let (mut stream, mut text) = (TextStream::new(), String::new());
        for byte in &bytes {
            let mut count = 0;
            stream.push(*byte, |c| { text.push(c); count += 1; });
            prop_assert!(count <= 2);
        }
        stream.finish(|c| text.push(c));
        // The second time there is nothing left to end.
        stream.finish(|c| text.push(c));
        prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn hostile_merges_are_rejected() {
    let reference = |rank, token| Err(MergeError::Reference { rank, token });
    assert_eq!(Bpe::new(&[[256, 97, 2]]), reference(0, 256), "itself");
    assert_eq!(Bpe::new(&[[97, 97, 2], [258, 97, 3], [97, 97, 2]]), reference(1, 258), "forward");
    assert_eq!(Bpe::new(&[[u32::MAX, 97, 2]]), reference(0, u32::MAX));
    let length = MergeError::Length { rank: 0, expected: 2, found: 3 };
    assert_eq!(Bpe::new(&[[97, 97, 3]]), Err(length));
    // Each token is twice as long as the previous one, until the longest allowed token.
    let doubling = (0..40).map(|rank| if rank == 0 { (97, 97) } else { (255 + rank, 255 + rank) });
    let mut records = [[0; 3]; 40];
    let found = Bpe::build(doubling, &mut records);
    assert!(matches!(found, Err(MergeError::Length { rank: 16, .. })), "{found:?}");
    let few = Bpe::build([(97, 97), (98, 98)], &mut records[..1]);
    assert_eq!(few, Err(MergeError::TooMany { merges: 2, room: 1 }));
}

#[test]
fn a_buffer_that_is_too_small_is_an_error() {
    for (room, fits) in [(4, false), (5, true)] {
        let mut tokens = vec![0; room];
        let found = Tokenizer::Bytes.encode(b"a b c", &mut tokens).map(<[u32]>::len);
        assert_eq!(
            found,
            if fits { Ok(5) } else { Err(EncodeError { sufficient: 5, found: room }) }
        );
    }
    assert_eq!(Tokenizer::Bytes.encode(b"", &mut []), Ok(&[][..]));
    assert!(Tokenizer::Bytes.decode(256).is_none());
}
