//! Byte pair encoding: the encoder of `expe-core` with owned merges and a cache of encoded pieces.

use std::collections::HashMap;

use expe_core::internals::{Bpe, MergeError, pieces};

/// Merges in the order of their rank. Ids 0–255 are the bytes; merge `rank` replaces its pair with id
/// `256 + rank`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BytePairs {
    pairs: Vec<(u32, u32)>,
    records: Vec<[u32; 3]>,
}

impl BytePairs {
    /// Checks and stores the merges.
    ///
    /// # Errors
    /// [`MergeError`] for a merge that uses a token that no earlier merge produces, or that produces a token that
    /// is too long.
    pub fn new(pairs: Vec<(u32, u32)>) -> Result<Self, MergeError> {
        let mut records = vec![[0; 3]; pairs.len()];
        Bpe::build(pairs.iter().copied(), &mut records)?;
        Ok(Self { pairs, records })
    }

    /// Returns the merged pairs, by rank.
    pub fn pairs(&self) -> &[(u32, u32)] {
        &self.pairs
    }

    /// Returns the encoder and decoder of `expe-core` for these merges.
    pub fn core(&self) -> Bpe<'_> {
        Bpe::new(&self.records).expect("`BytePairs::new` has checked the merges")
    }
}

/// Maximum length of a cached piece in bytes; longer pieces are rare.
const MAX_CACHED: usize = 32;

/// Encodes many texts. Caches the tokens of each piece, because `expe-core` tries all merges for every piece.
#[derive(Debug)]
pub(super) struct Encoder<'a> {
    bpe: Bpe<'a>,
    known: HashMap<Box<[u8]>, Box<[u32]>>,
    buffer: Vec<u32>,
}

impl<'a> Encoder<'a> {
    pub fn new(bpe: Bpe<'a>) -> Self {
        Self { bpe, known: HashMap::new(), buffer: Vec::new() }
    }

    /// Appends the tokens of `text` to `tokens`.
    pub fn encode(&mut self, text: &[u8], tokens: &mut Vec<u32>) {
        for piece in pieces(text) {
            if let Some(known) = self.known.get(piece) {
                tokens.extend_from_slice(known);
                continue;
            }
            if self.buffer.len() < piece.len() {
                self.buffer.resize(piece.len(), 0);
            }
            let found = self.bpe.encode(piece, &mut self.buffer);
            let found = found.expect("a piece has at most as many tokens as bytes");
            tokens.extend_from_slice(found);
            if piece.len() <= MAX_CACHED {
                self.known.insert(piece.into(), found.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_merges_of_later_tokens_and_tokens_that_are_too_long() {
        assert!(BytePairs::new(vec![(256, 0)]).is_err());
        assert!(BytePairs::new(vec![(0, 1), (0, 258)]).is_err());
        assert!(BytePairs::new(vec![(0, u32::MAX)]).is_err());
        let doubling = (0..200).map(|rank| (255 + rank, 255 + rank)).collect();
        assert!(BytePairs::new(doubling).is_err());
    }

    #[test]
    fn the_cache_does_not_change_the_tokens() {
        let pair = |text: &[u8]| (u32::from(text[0]), u32::from(text[1]));
        let pairs = BytePairs::new(vec![pair(b"th"), (256, u32::from(b'e'))]).unwrap();
        let mut encoder = Encoder::new(pairs.core());
        let mut twice = Vec::new();
        encoder.encode(b"the then", &mut twice);
        let once = twice.clone();
        encoder.encode(b"the then", &mut twice);
        assert_eq!(once, [257, 32, 257, u32::from(b'n')]);
        assert_eq!(twice, [once.clone(), once].concat());
    }
}
