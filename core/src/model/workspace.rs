use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::weights::ModelId;
use super::{Arithmetic, MemoryError};
use crate::num::invariant::{quotient, slice};
use crate::shape::{Config, WORD};

/// The memory in which a [`Decoder`](super::Decoder) computes. Between calls it holds only the last
/// logits. [`Decoder::workspace`](super::Decoder::workspace) makes one.
#[derive(Debug)]
pub struct Workspace<'a> {
    buffer: &'a mut [u32],
    model: ModelId,
    chunk: usize,
    context: usize,
}

/// The buffers in a workspace. A row belongs to a token of the chunk.
#[derive(Debug)]
pub(super) struct Buffers<'w, A: Arithmetic> {
    /// Residual stream: rows of `width`.
    pub x: &'w mut [A::Scalar],
    /// Normalized residual stream: rows of `width`.
    pub h: &'w mut [A::Scalar],
    /// Queries and keys or values, or the MLP's inner layer.
    pub inner: &'w mut [A::Scalar],
    /// The inputs of an integer matrix: rows of its width.
    pub quants: &'w mut [i8],
    /// The scales of the quants: one per row.
    pub scales: &'w mut [f32],
    /// What the positions put into the queries' overridden columns: rows of `D` words.
    pub position_words: &'w mut [A::PositionWord],
    /// Tables of rotations: rows of `head_width`.
    pub rotations: &'w mut [A::Scalar],
    /// Scores of one query head: one per position.
    pub scores: &'w mut [A::Scalar],
    /// Logits: at least one row of `vocab`.
    pub logits: &'w mut [A::Scalar],
}

impl<'a> Workspace<'a> {
    /// Makes a workspace for `chunk` tokens at a time (at least one) and caches of up to `context`
    /// positions.
    ///
    /// # Errors
    /// [`MemoryError`] if `buffer` is shorter than `Config::workspace_len(chunk, context)`.
    pub(super) fn new(
        config: &Config,
        model: ModelId,
        chunk: usize,
        context: usize,
        buffer: &'a mut [u32],
    ) -> Result<Self, MemoryError> {
        let chunk = chunk.max(1);
        let workspace = Self { buffer, model, chunk, context };
        workspace.check_len(config, context)?;
        Ok(workspace)
    }

    /// Returns the number of tokens that are computed together.
    pub const fn chunk(&self) -> usize {
        self.chunk
    }

    /// Returns the largest capacity of a cache used with this workspace.
    pub const fn context(&self) -> usize {
        self.context
    }

    /// Returns the model that the workspace was made for.
    pub(super) const fn model(&self) -> ModelId {
        self.model
    }

    /// Returns the last token's logits, which the forward pass has left at the front.
    pub(super) fn logits<R: FromBytes + Immutable>(&self, config: &Config) -> &[R] {
        let words = slice(self.buffer, ..config.vocab);
        let logits = <[R]>::ref_from_bytes(words.as_bytes());
        debug_assert!(logits.is_ok(), "logits have 4 bytes");
        logits.unwrap_or_default()
    }

    /// Divides the memory for a cache of `capacity` positions.
    pub(super) fn buffers<A: Arithmetic>(
        &mut self,
        config: &Config,
        capacity: usize,
    ) -> Result<Buffers<'_, A>, MemoryError> {
        let (needed, error) = self.check_len(config, capacity)?;
        // Memory beyond what is needed holds the logits of more tokens.
        let more = quotient(self.buffer.len() - needed, config.vocab);
        let tokens = self.chunk.min(more + 1);
        let mut rest = &mut *self.buffer;
        // No product is larger than `needed`.
        let rows = self.chunk;
        Ok(Buffers {
            logits: take(&mut rest, tokens * config.vocab).ok_or(error)?,
            scores: take(&mut rest, capacity).ok_or(error)?,
            x: take(&mut rest, rows * config.width).ok_or(error)?,
            h: take(&mut rest, rows * config.width).ok_or(error)?,
            inner: take(&mut rest, rows * config.inner_width()).ok_or(error)?,
            position_words: take(&mut rest, rows * config.override_block().digits).ok_or(error)?,
            rotations: take(&mut rest, rows * config.rotation_width()).ok_or(error)?,
            scales: take(&mut rest, rows).ok_or(error)?,
            quants: take(&mut rest, (rows * config.widest()).div_ceil(WORD)).ok_or(error)?,
        })
    }

    /// Returns the words that a cache of `capacity` positions needs, and the error of having fewer.
    fn check_len(
        &self,
        config: &Config,
        capacity: usize,
    ) -> Result<(usize, MemoryError), MemoryError> {
        let needed = config.workspace_len(self.chunk, capacity);
        let found = self.buffer.len();
        let error = MemoryError { what: "workspace", needed, found };
        if needed > found { Err(error) } else { Ok((needed, error)) }
    }
}

/// Takes the next `words` words, as numbers of another type.
fn take<'w, R: FromBytes + IntoBytes>(
    rest: &mut &'w mut [u32],
    words: usize,
) -> Option<&'w mut [R]> {
    let (part, tail) = core::mem::take(rest).split_at_mut_checked(words)?;
    *rest = tail;
    <[R]>::mut_from_bytes(part.as_mut_bytes()).ok()
}
