//! The `tracing` spans of training: one around each operation, forward and backward, and inside it one around
//! each matrix product.
//!
//! A span costs one load and one comparison where no subscriber is interested.

use tracing::span::EnteredSpan;
use tracing::{Level, span};

/// The target of all spans.
pub const TARGET: &str = "expe::ops";
/// The name of the spans around operations. Their fields are `operation`, `pass`, and `threads`: the index of
/// the [`Operation`] in [`Operation::ALL`], the [`Pass`] in the same way, and how many threads it keeps busy.
pub const OPERATION: &str = "operation";
/// The name of the spans around matrix products. Their field `flops` counts a multiplication and an addition
/// as two operations.
pub const PRODUCT: &str = "product";

/// An operation of a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Rows of the token table, with positions.
    Embedding,
    /// Norms.
    Norm,
    /// Projections to queries, keys, and values, with positions.
    Inputs,
    /// Scores, softmax, and values.
    Attention,
    /// Projections onto the residual stream.
    Projection,
    /// The MLP.
    FeedForward,
    /// Logits and loss; the gradient is computed along with them.
    CrossEntropy,
    /// The sum of the shards' gradients, and its norm.
    Reduction,
    /// Clipping and AdamW.
    Optimizer,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Results.
    Forward,
    /// Gradients.
    Backward,
}

impl Operation {
    /// All operations in the order of a step.
    pub const ALL: [Self; 9] = [
        Self::Embedding,
        Self::Norm,
        Self::Inputs,
        Self::Attention,
        Self::Projection,
        Self::FeedForward,
        Self::CrossEntropy,
        Self::Reduction,
        Self::Optimizer,
    ];
}

impl Pass {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::Forward, Self::Backward];
}

/// Enters the span of an operation that the calling thread does alone.
#[inline]
pub(crate) fn operation(operation: Operation, pass: Pass) -> EnteredSpan {
    operation_on(1, operation, pass)
}

/// Enters the span of an operation that keeps `threads` threads busy.
#[inline]
pub(crate) fn operation_on(threads: usize, operation: Operation, pass: Pass) -> EnteredSpan {
    let (operation, pass) = (operation as u64, pass as u64);
    span!(target: TARGET, Level::TRACE, OPERATION, operation, pass, threads).entered()
}

/// Enters the span of a matrix product.
#[inline]
pub(crate) fn product(rows: usize, cols: usize, inner: usize) -> EnteredSpan {
    let flops = 2 * (rows * cols * inner) as u64;
    span!(target: TARGET, Level::TRACE, PRODUCT, flops).entered()
}
