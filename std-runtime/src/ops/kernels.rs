use std::fmt::Debug;

use expe_core::position::OverrideBlock;
use expe_core::{Activation, Norm};

use super::adamw::AdamWStep;
use super::bridge::Bridge;
use super::layout::Layout;
use super::view::{Mode, Operand, View, ViewMut};

/// A norm and its constants.
#[derive(Debug, Clone, Copy)]
pub struct NormKind {
    /// Columns of a row.
    pub width: usize,
    /// `ε`, added to the mean square.
    pub epsilon: f32,
    /// The kind.
    pub norm: Norm,
}

/// The sizes of an embedding.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddingShape {
    /// Positions of a sequence.
    pub length: usize,
    /// Columns of a row.
    pub width: usize,
    /// What rows of the table are multiplied by.
    pub scale: f32,
}

/// The overridden columns of an attention layer's inputs, with the numbers that replace them.
#[derive(Debug)]
pub struct Positions<'a, D: Bridge> {
    /// The columns.
    pub columns: OverrideBlock,
    /// The values of queries, `(length, digits)`.
    pub queries: D::Slice<'a>,
    /// The values of keys, `(length, digits)`.
    pub keys: D::Slice<'a>,
}

impl<D: Bridge> Clone for Positions<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Bridge> Copy for Positions<'_, D> {}

/// What attention saved for its backward pass, and the gradient of its result.
#[derive(Debug)]
pub struct SavedAttention<'a, D: Bridge> {
    /// Queries, keys, and values.
    pub qkv: D::Slice<'a>,
    /// The result.
    pub out: D::Slice<'a>,
    /// The logarithm of the sum of the exponentials of all scores, for each row and head.
    pub norms: D::Slice<'a>,
    /// The gradient of the result.
    pub dout: D::Slice<'a>,
}

/// The direction in which heads are rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// By the position's angles.
    Forward,
    /// Back by them, as gradients are.
    Back,
}

/// A projection whose inputs are overridden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// That of the queries.
    Queries,
    /// That of the keys.
    Keys,
}

/// The raw operations on matrices in a device's memory, in `f32`.
///
/// The building blocks of this module are written once on top of it; a device implements what is left:
/// matrix products and loops over elements. Matrices are row-major and contiguous unless they are views.
/// Results do not depend on the number of threads.
///
/// All functions panic where sizes do not fit together, and return the device's errors.
pub trait Kernels: Bridge {
    /// The number of shards that a batch is always cut into, so that several threads can share the work: the
    /// result depends on this number and not on the threads.
    const SHARDS: usize;
    /// The widest head that [`attention_forward`](Self::attention_forward) is for.
    const WIDEST_HEAD: usize;

    /// What positions add to scores, derived from an attention layer's weights.
    type Terms: Debug + 'static;
    /// The gradients of the position terms, as far as scores give them.
    type TermGradients;
    /// The gradients of the folded query and key columns.
    type FoldedGradients;
    /// The losses of rows, in the form in which the device sums them up.
    type Losses;
    /// Updates of parameters that were requested and not yet made.
    type Updates: Debug + Default;

    /// Rounds `x` to `f16`, to even where two numbers are equally close, to infinity beyond 65 519.
    fn round(queue: &Self::Queue, x: Self::Slice<'_>) -> Result<Self::HalfBuffer, Self::Err>;

    /// Computes `to = lhs·rhs`, or adds it to `to`, with sums in `f32`.
    fn multiply(
        queue: &Self::Queue,
        to: ViewMut<Self::SliceMut<'_>>,
        mode: Mode,
        lhs: View<Operand<'_, Self>>,
        rhs: View<Operand<'_, Self>>,
    ) -> Result<(), Self::Err>;

    /// Computes `y ← y + x`.
    fn add(queue: &Self::Queue, y: Self::SliceMut<'_>, x: Self::Slice<'_>)
    -> Result<(), Self::Err>;

    /// Computes `y ← y + (scalar·factor)·x`, where `scalar` holds one number.
    fn add_scaled(
        queue: &Self::Queue,
        y: Self::SliceMut<'_>,
        x: Self::Slice<'_>,
        scalar: Self::Slice<'_>,
        factor: f32,
    ) -> Result<(), Self::Err>;

    /// Normalizes the rows of `x`: `y = gain ⊙ z` with `z = (x − mean)·inverse`, where `inverse` is
    /// `1/√(mean((x − mean)²) + ε)` and the mean is 0 for RMSNorm.
    fn norm_forward(
        queue: &Self::Queue,
        kind: NormKind,
        x: Self::Slice<'_>,
        gain: Self::Slice<'_>,
        y: Self::SliceMut<'_>,
    ) -> Result<(), Self::Err>;

    /// Adds the gradients of [`norm_forward`](Self::norm_forward). With `s = gain ⊙ dy`:
    /// `dx += inverse·(s − z·mean(s ⊙ z) − mean(s))`, the last term for LayerNorm only, and `dgain += dy ⊙ z`.
    fn norm_backward(
        queue: &Self::Queue,
        kind: NormKind,
        x: Self::Slice<'_>,
        gain: Self::Slice<'_>,
        dy: Self::Slice<'_>,
        dx: Self::SliceMut<'_>,
        dgain: Self::SliceMut<'_>,
    ) -> Result<(), Self::Err>;

    /// Gathers rows of `table`: `x[n] = scale·table[tokens[n]] + fixed[n mod length] + learned[n mod length]`.
    /// No token may be beyond the table.
    fn embedding_forward(
        queue: &Self::Queue,
        shape: EmbeddingShape,
        table: Self::Slice<'_>,
        tokens: Self::Indices<'_>,
        fixed: Option<Self::Slice<'_>>,
        learned: Option<Self::Slice<'_>>,
        x: Self::SliceMut<'_>,
    ) -> Result<(), Self::Err>;

    /// Scatters the gradient of the table: `dtable[tokens[n]] += scale·dx[n]`.
    fn embedding_backward(
        queue: &Self::Queue,
        shape: EmbeddingShape,
        dx: Self::Slice<'_>,
        tokens: Self::Indices<'_>,
        dtable: Self::SliceMut<'_>,
    ) -> Result<(), Self::Err>;

    /// Adds the gradient of learned positions: `dlearned[n mod length] += dx[n]`.
    fn position_table_backward(
        queue: &Self::Queue,
        shape: EmbeddingShape,
        dx: Self::Slice<'_>,
        dlearned: Self::SliceMut<'_>,
    ) -> Result<(), Self::Err>;

    /// Computes an activation element by element, with gates for SwiGLU (1 where there are none).
    fn activation_forward(
        queue: &Self::Queue,
        activation: Activation,
        inputs: Self::Slice<'_>,
        gates: Option<Self::Slice<'_>>,
        active: Self::SliceMut<'_>,
    ) -> Result<(), Self::Err>;

    /// Replaces `inputs` and `gates` by their gradients, and `gradient`, that of the activations, by the
    /// activations.
    fn activation_backward(
        queue: &Self::Queue,
        activation: Activation,
        inputs: Self::SliceMut<'_>,
        gates: Option<Self::SliceMut<'_>>,
        gradient: Self::SliceMut<'_>,
    ) -> Result<(), Self::Err>;

    /// Writes the positions' part of the queries into `qkv`, for devices that add the projection to it.
    /// Returns how the projection is to be written.
    fn start_queries(
        queue: &Self::Queue,
        layout: &Layout,
        positions: Positions<'_, Self>,
        wq: Self::Slice<'_>,
        qkv: Self::SliceMut<'_>,
    ) -> Result<Mode, Self::Err>;

    /// Adds the positions' part to the queries in `qkv` where [`start_queries`](Self::start_queries) left that
    /// to it. Returns what positions, or else the `slopes` of ALiBi, add to scores.
    fn position_terms(
        queue: &Self::Queue,
        layout: &Layout,
        positions: Option<Positions<'_, Self>>,
        weights: [Self::Slice<'_>; 2],
        slopes: &[f32],
        qkv: Self::SliceMut<'_>,
    ) -> Result<Self::Terms, Self::Err>;

    /// Rotates the heads of queries and keys by their positions' angles. `cos` and `sin` are
    /// `(length, head_width)`, the sines of a head's first half with their sign changed.
    fn rotate(
        queue: &Self::Queue,
        layout: &Layout,
        qkv: Self::SliceMut<'_>,
        cos: Self::Slice<'_>,
        sin: Self::Slice<'_>,
        turn: Turn,
    ) -> Result<(), Self::Err>;

    /// Computes causal attention without a matrix of all scores: the result, and for each row and head the
    /// logarithm of the sum of the exponentials of its scores, from which the backward pass computes the
    /// softmax again.
    fn attention_forward(
        queue: &Self::Queue,
        layout: &Layout,
        qkv: Self::Slice<'_>,
        terms: &Self::Terms,
        keys: Option<Self::Slice<'_>>,
        out: Self::SliceMut<'_>,
        norms: Self::SliceMut<'_>,
    ) -> Result<(), Self::Err>;

    /// Computes the gradients of [`attention_forward`](Self::attention_forward). `dqkv` may hold any values
    /// before.
    fn attention_backward(
        queue: &Self::Queue,
        layout: &Layout,
        saved: SavedAttention<'_, Self>,
        terms: &Self::Terms,
        keys: Option<Self::Slice<'_>>,
        dqkv: Self::SliceMut<'_>,
    ) -> Result<Self::TermGradients, Self::Err>;

    /// Completes the gradient of the queries by that of the terms, where scores did not, and computes the
    /// gradients of the folded columns.
    fn positions_backward(
        queue: &Self::Queue,
        layout: &Layout,
        positions: Positions<'_, Self>,
        terms: &Self::Terms,
        gradients: Self::TermGradients,
        qkv: Self::Slice<'_>,
        dqkv: Self::SliceMut<'_>,
    ) -> Result<Self::FoldedGradients, Self::Err>;

    /// Adds the gradient of the folded columns to that of the weights, `width` wide, that they are sums of.
    fn unfold(
        queue: &Self::Queue,
        layout: &Layout,
        columns: &OverrideBlock,
        gradients: &Self::FoldedGradients,
        side: Side,
        dweight: Self::SliceMut<'_>,
        width: usize,
    ) -> Result<(), Self::Err>;

    /// Returns how many of `rows` rows of logits are held in memory at a time.
    fn logit_rows(vocab: usize, rows: usize) -> usize;

    /// Computes `log p(target)` of `rows` rows of logits, which are overwritten.
    fn log_probabilities(
        queue: &Self::Queue,
        rows_and_vocab: (usize, usize),
        logits: Self::SliceMut<'_>,
        targets: Self::Indices<'_>,
        scores: Self::SliceMut<'_>,
    ) -> Result<(), Self::Err>;

    /// Allocates the losses of `rows` rows.
    fn losses(queue: &Self::Queue, rows: usize) -> Result<Self::Losses, Self::Err>;

    /// Adds the losses `−log p(target)` of `rows` rows of logits, the first of which is row `first`. With a
    /// `share`, the logits become the gradients of a loss in which each row has this share.
    fn cross_entropy(
        queue: &Self::Queue,
        first_rows_vocab: (usize, usize, usize),
        logits: Self::SliceMut<'_>,
        targets: Self::Indices<'_>,
        share: Option<f32>,
        losses: &mut Self::Losses,
    ) -> Result<(), Self::Err>;

    /// Writes the mean of the losses of `rows` rows.
    fn mean_loss(
        queue: &Self::Queue,
        rows: usize,
        losses: &Self::Losses,
        loss: Self::SliceMut<'_>,
    ) -> Result<(), Self::Err>;

    /// Adds to each of `sums` its counterparts of all `others`, in their order. Returns the sum of the squares
    /// of all resulting numbers, in `f64` and in an order that the lengths alone decide.
    fn reduce(
        queue: &Self::Queue,
        sums: Vec<Self::SliceMut<'_>>,
        others: &[Vec<Self::Slice<'_>>],
    ) -> Result<f64, Self::Err>;

    /// Requests an AdamW step of one parameter, which is made now or by
    /// [`finish_updates`](Self::finish_updates), so that a device can update many parameters at once. Until then
    /// the weight and its moments must stay where they are.
    fn update(
        queue: &Self::Queue,
        updates: &mut Self::Updates,
        step: AdamWStep,
        weight: Self::SliceMut<'_>,
        moments: [Self::SliceMut<'_>; 2],
        gradient: Self::Gradient,
    ) -> Result<(), Self::Err>;

    /// Makes the updates that are left.
    fn finish_updates(updates: Self::Updates) -> Result<(), Self::Err>;
}
