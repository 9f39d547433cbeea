use super::limits::BYTES;
use super::{EncodeError, MAX_TOKEN_BYTES, MergeError};
use crate::num::invariant::{slice, slice_mut};

/// Byte-level byte-pair encoding (Sennrich et al. 2016, <https://arxiv.org/abs/1508.07909>).
///
/// Tokens 0 to 255 are the bytes. The merge of rank `r` joins a pair of tokens below `256 + r` to token `256 + r`.
///
/// Text is first split into pieces, which are encoded separately. The pieces are the matches of the regular
/// expression ` ?[^ \t\r\n]+|[ \t\r\n]+`. Within a piece, the pair with the lowest rank is merged first, from left
/// to right.
///
/// ```
/// use expe_core::internals::Bpe;
/// let mut records = [[0; 3]; 2];
/// let bpe = Bpe::build([(104, 105), (32, 256)], &mut records)?;
/// let mut tokens = [0; 8];
/// assert_eq!(bpe.encode(b"hi hi", &mut tokens).unwrap(), &[256, 257]);
/// assert!(bpe.decode(257).unwrap().eq(*b" hi"));
/// # Ok::<(), expe_core::internals::MergeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bpe<'a> {
    /// `[left, right, length in bytes]` by rank.
    merges: &'a [[u32; 3]],
}

/// Returns the length of a token; `None` if it is not in the vocabulary of these merges.
fn token_len(merges: &[[u32; 3]], token: u32) -> Option<u32> {
    match (token as usize).checked_sub(BYTES) {
        None => Some(1),
        Some(rank) => merges.get(rank).map(|[_, _, len]| *len),
    }
}

/// Returns the length of the token of the merge of rank `rank`; `earlier` are the merges of lower rank.
fn merged_len(earlier: &[[u32; 3]], rank: usize, pair: (u32, u32)) -> Result<u32, MergeError> {
    let part = |token| token_len(earlier, token).ok_or(MergeError::Reference { rank, token });
    Ok(part(pair.0)?.saturating_add(part(pair.1)?))
}

impl<'a> Bpe<'a> {
    /// Checks a table of merges as stored in a model file, `[left, right, length in bytes]` by rank.
    ///
    /// # Errors
    /// The first [`MergeError`] found.
    pub fn new(merges: &'a [[u32; 3]]) -> Result<Self, MergeError> {
        let room = u32::MAX as usize - BYTES;
        if merges.len() > room {
            return Err(MergeError::TooMany { merges: merges.len(), room });
        }
        for (rank, [left, right, found]) in merges.iter().enumerate() {
            let earlier = slice(merges, ..rank);
            let (expected, found) = (merged_len(earlier, rank, (*left, *right))?, *found);
            if expected != found || expected > MAX_TOKEN_BYTES {
                return Err(MergeError::Length { rank, expected, found });
            }
        }
        Ok(Self { merges })
    }

    /// Fills `records` from pairs in rank order, one record per pair, and builds the tokenizer.
    ///
    /// # Errors
    /// The first [`MergeError`] found; [`MergeError::TooMany`] if `records` is too short.
    pub fn build(
        pairs: impl IntoIterator<Item = (u32, u32)>,
        records: &'a mut [[u32; 3]],
    ) -> Result<Self, MergeError> {
        let mut count = 0usize;
        for pair in pairs {
            let room = records.len();
            let too_many = MergeError::TooMany { merges: count + 1, room };
            let (earlier, rest) = records.split_at_mut_checked(count).ok_or(too_many)?;
            let len = merged_len(earlier, count, pair)?;
            *rest.first_mut().ok_or(too_many)? = [pair.0, pair.1, len];
            count += 1;
        }
        let records: &'a [[u32; 3]] = records;
        Self::new(slice(records, ..count))
    }

    /// Returns the table of merges.
    pub const fn merges(&self) -> &'a [[u32; 3]] {
        self.merges
    }

    /// Returns the size of the vocabulary: 256 bytes and one token per merge.
    pub const fn vocab(&self) -> usize {
        self.merges.len() + BYTES
    }

    /// Encodes `text` into the front of `tokens` and returns the tokens.
    ///
    /// A buffer of `text.len()` elements is always large enough.
    ///
    /// # Errors
    /// [`EncodeError`] if the buffer is too small for the tokens so far and one per byte of the current piece.
    pub fn encode<'t>(&self, text: &[u8], tokens: &'t mut [u32]) -> Result<&'t [u32], EncodeError> {
        let error = EncodeError { sufficient: text.len(), found: tokens.len() };
        let mut len = 0usize;
        for piece in pieces(text) {
            let place = tokens.get_mut(len..).and_then(|free| free.get_mut(..piece.len()));
            len += self.merge(piece, place.ok_or(error)?);
        }
        tokens.get(..len).ok_or(error)
    }

    /// Writes the tokens of `piece` to the front of `tokens`, which has the same length; returns their number.
    fn merge(&self, piece: &[u8], tokens: &mut [u32]) -> usize {
        for (token, byte) in tokens.iter_mut().zip(piece) {
            *token = u32::from(*byte);
        }
        let mut len = tokens.len();
        // A merge never creates a pair of lower rank, because merges refer to lower tokens only. One pass over
        // the table therefore merges the lowest rank first.
        for ([left, right, _], merged) in self.merges.iter().zip(256u32..) {
            if len < 2 {
                break;
            }
            let piece = slice_mut(tokens, ..len);
            if piece.iter().zip(piece.iter().skip(1)).any(|(a, b)| a == left && b == right) {
                len = replace_pair(piece, *left, *right, merged);
            }
        }
        len
    }

    /// Returns the bytes of `token`; `None` if it is not in the vocabulary.
    pub fn decode(&self, token: u32) -> Option<impl Iterator<Item = u8> + use<'a>> {
        let merges = self.merges;
        let len = token_len(merges, token)?;
        Some((0..len).map(move |index| byte_at(merges, token, index)))
    }
}

/// Returns byte `index` of a token, by descending the merges.
fn byte_at(merges: &[[u32; 3]], mut token: u32, mut index: u32) -> u8 {
    while let Some([left, right, _]) =
        (token as usize).checked_sub(BYTES).and_then(|rank| merges.get(rank))
    {
        let split = token_len(merges, *left);
        debug_assert!(split.is_some(), "a merge refers to tokens before it");
        let split = split.unwrap_or(0);
        (token, index) = match index.checked_sub(split) {
            None => (*left, index),
            Some(index) => (*right, index),
        };
    }
    token as u8
}

/// Replaces every pair `left, right` by `merged`, from left to right; returns the new length.
fn replace_pair(tokens: &mut [u32], left: u32, right: u32, merged: u32) -> usize {
    let cells = core::cell::Cell::from_mut(tokens).as_slice_of_cells();
    let mut read = cells.iter().peekable();
    let mut written = 0usize;
    for place in cells {
        let Some(token) = read.next() else { break };
        let joined = token.get() == left && read.next_if(|next| next.get() == right).is_some();
        place.set(if joined { merged } else { token.get() });
        written += 1;
    }
    written
}

const fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Returns the pieces of `text`, which [`Bpe::encode`] encodes separately.
pub fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    core::iter::from_fn(move || {
        let (piece, tail) = split_piece(rest)?;
        rest = tail;
        Some(piece)
    })
}

/// Splits `text` after its first piece; `None` if it is empty.
fn split_piece(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let word_from = |start: usize| {
        let word = text.iter().skip(start).take_while(|byte| !is_space(byte)).count();
        (word > 0).then(|| start + word)
    };
    let led_by_space = usize::from(text.first() == Some(&b' '));
    let end = word_from(led_by_space)
        .unwrap_or_else(|| text.iter().take_while(|byte| is_space(byte)).count());
    if end == 0 { None } else { text.split_at_checked(end) }
}
