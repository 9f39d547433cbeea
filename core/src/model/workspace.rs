use zerocopy::{FromBytes, IntoBytes};

use super::MemoryError;
use crate::shape::{Config, WORD};

/// The memory in which a [`Decoder`](super::Decoder) computes; it holds nothing between calls but
/// the last logits.
#[derive(Debug)]
pub struct Workspace<'a> {
    buffer: &'a mut [u32],
    chunk: usize,
    context: usize,
}

/// A workspace's parts for one model; rows are tokens of a chunk, `R` are 4 bytes.
#[derive(Debug)]
pub(super) struct Parts<'w, R> {
    /// Residual stream: rows of `width`.
    pub x: &'w mut [R],
    /// Normalized residual stream: rows of `width`.
    pub h: &'w mut [R],
    /// Queries and keys or values, or the MLP's inner layer.
    pub inner: &'w mut [R],
    /// The inputs of a matrix as 8-bit integers: rows as wide as they are.
    pub packed: &'w mut [i8],
    /// Their scales: one per row.
    pub scales: &'w mut [f32],
    /// Values of the positions in the queries' columns: rows of `digits`.
    pub codes: &'w mut [u32],
    /// Tables of rotations: rows of `head_width`.
    pub rotations: &'w mut [R],
    /// Scores of one query head: one per position.
    pub scores: &'w mut [R],
    /// Logits: rows of `vocab`, one at least.
    pub logits: &'w mut [R],
}

impl<'a> Workspace<'a> {
    /// A workspace for `chunk` tokens at a time (at least one) and caches of up to `context`
    /// positions, at the front of `buffer`.
    ///
    /// Larger chunks read the weights less often; the results are the same to the bit. Every `vocab` words
    /// that `buffer` has more hold the logits of one more token, up to `chunk`:
    /// [`forward_each`](super::Decoder::forward_each) computes them together.
    ///
    /// # Errors
    /// [`MemoryError`] if `buffer` is shorter than
    /// [`workspace_len(chunk, context)`](Config::workspace_len).
    pub fn new(
        config: &Config,
        chunk: usize,
        context: usize,
        buffer: &'a mut [u32],
    ) -> Result<Self, MemoryError> {
        let chunk = chunk.max(1);
        let needed = config.workspace_len(chunk, context);
        let found = buffer.len();
        let error = MemoryError { what: "workspace", needed, found };
        if needed > found {
            return Err(error);
        }
        Ok(Self { buffer, chunk, context })
    }

    /// Tokens that are computed together.
    pub const fn chunk(&self) -> usize {
        self.chunk
    }

    /// Positions that a cache used with this workspace can have.
    pub const fn context(&self) -> usize {
        self.context
    }

    /// The last token's logits, which a model of this configuration has left at the front.
    pub(super) fn logits<R: FromBytes + zerocopy::Immutable>(&self, config: &Config) -> &[R] {
        let words = self.buffer.get(..config.vocab).unwrap_or(&[]);
        <[R]>::ref_from_bytes(words.as_bytes()).unwrap_or(&[])
    }

    /// Split for a model of this configuration and a cache of `capacity` positions.
    pub(super) fn split<R: FromBytes + IntoBytes>(
        &mut self,
        config: &Config,
        capacity: usize,
    ) -> Result<Parts<'_, R>, MemoryError> {
        let needed = config.workspace_len(self.chunk, capacity);
        let found = self.buffer.len();
        let error = MemoryError { what: "workspace", needed, found };
        if needed > found {
            return Err(error);
        }
        let more = found.saturating_sub(needed).checked_div(config.vocab).unwrap_or(0);
        let tokens = more.saturating_add(1).min(self.chunk);
        let mut rest = &mut *self.buffer;
        // None of the products is larger than `needed`.
        let rows = self.chunk;
        Ok(Parts {
            logits: take(&mut rest, tokens.saturating_mul(config.vocab)).ok_or(error)?,
            scores: take(&mut rest, capacity).ok_or(error)?,
            x: take(&mut rest, rows.saturating_mul(config.width)).ok_or(error)?,
            h: take(&mut rest, rows.saturating_mul(config.width)).ok_or(error)?,
            inner: take(&mut rest, rows.saturating_mul(config.inner_width())).ok_or(error)?,
            codes: take(&mut rest, rows.saturating_mul(config.override_block().digits))
                .ok_or(error)?,
            rotations: take(&mut rest, rows.saturating_mul(config.rotation_width()))
                .ok_or(error)?,
            scales: take(&mut rest, rows).ok_or(error)?,
            packed: take(&mut rest, rows.saturating_mul(config.widest()).div_ceil(WORD))
                .ok_or(error)?,
        })
    }
}

/// The next `words` words as numbers of another type.
fn take<'w, R: FromBytes + IntoBytes>(
    rest: &mut &'w mut [u32],
    words: usize,
) -> Option<&'w mut [R]> {
    let (part, tail) = core::mem::take(rest).split_at_mut_checked(words)?;
    *rest = tail;
    <[R]>::mut_from_bytes(part.as_mut_bytes()).ok()
}
