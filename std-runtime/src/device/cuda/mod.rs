//! NVIDIA GPUs: what is installed, whether it can be used, and the kernels of training.
//!
//! Products are by cuBLAS, everything else by the kernels in `kernels/*.cu`. Everything is queued on the device's
//! one stream; nothing but [`reduce`](Kernels::reduce) waits for it. No kernel adds numbers in an order that
//! depends on scheduling, so a result has the same bits each time on one GPU.

mod activation;
mod arithmetic;
mod attention;
mod cross_entropy;
mod embedding;
mod launch;
mod norm;
mod optimizer;
mod position;
mod product;

pub use dfdx::tensor::Cuda;

pub use crate::ops::bridge::cuda::{
    CAPABILITY, Driver, Gpu, KERNELS, VERSION, close, free_memory, guarded, open, open_toolkit,
};

use std::sync::Arc;

use cudarc::driver::CudaSlice;
use dfdx::tensor::CudaError;
use expe_core::Activation;
use expe_core::position::OverrideBlock;

use self::attention::Terms;
use self::optimizer::Updates;
use self::position::FoldedGradients;
use crate::ops::bridge::Skip;
use crate::ops::bridge::cuda::{Context, DeviceSlice, DeviceSliceMut};
use crate::ops::view::{Mode, Operand, View, ViewMut};
use crate::ops::{
    AdamWStep, EmbeddingShape, Kernels, Layout, NormKind, Positions, SavedAttention, Side, Turn,
};

/// The queue's type.
type Queue = Arc<Context>;

impl Kernels for Cuda {
    /// dfdx's handle of a GPU belongs to one thread; a GPU finds enough to do in one shard.
    const SHARDS: usize = 1;
    const WIDEST_HEAD: usize = attention::WIDEST_HEAD;

    type Terms = Terms;
    /// Of the terms' factors, for ExPE and ExQPE.
    type TermGradients = Option<CudaSlice<f32>>;
    type FoldedGradients = FoldedGradients;
    /// The logarithms of the rows' probabilities.
    type Losses = CudaSlice<f32>;
    type Updates = Updates;

    fn round(queue: &Queue, x: DeviceSlice<'_>) -> Result<CudaSlice<u16>, CudaError> {
        arithmetic::round(queue, x)
    }

    fn multiply(
        queue: &Queue,
        to: ViewMut<DeviceSliceMut<'_>>,
        mode: Mode,
        lhs: View<Operand<'_, Self>>,
        rhs: View<Operand<'_, Self>>,
    ) -> Result<(), CudaError> {
        product::multiply(queue, to, mode, lhs, rhs)
    }

    fn add(queue: &Queue, y: DeviceSliceMut<'_>, x: DeviceSlice<'_>) -> Result<(), CudaError> {
        arithmetic::add(queue, y, x)
    }

    fn add_scaled(
        queue: &Queue,
        y: DeviceSliceMut<'_>,
        x: DeviceSlice<'_>,
        scalar: DeviceSlice<'_>,
        factor: f32,
    ) -> Result<(), CudaError> {
        arithmetic::add_scaled(queue, y, x, scalar, factor)
    }

    fn norm_forward(
        queue: &Queue,
        kind: NormKind,
        x: DeviceSlice<'_>,
        gain: DeviceSlice<'_>,
        y: DeviceSliceMut<'_>,
    ) -> Result<(), CudaError> {
        norm::forward(queue, kind, x, gain, y)
    }

    fn norm_backward(
        queue: &Queue,
        kind: NormKind,
        x: DeviceSlice<'_>,
        gain: DeviceSlice<'_>,
        dy: DeviceSlice<'_>,
        dx: DeviceSliceMut<'_>,
        dgain: DeviceSliceMut<'_>,
    ) -> Result<(), CudaError> {
        norm::backward(queue, kind, x, gain, dy, dx, dgain)
    }

    fn embedding_forward(
        queue: &Queue,
        shape: EmbeddingShape,
        table: DeviceSlice<'_>,
        tokens: DeviceSlice<'_, usize>,
        fixed: Option<DeviceSlice<'_>>,
        learned: Option<DeviceSlice<'_>>,
        x: DeviceSliceMut<'_>,
    ) -> Result<(), CudaError> {
        embedding::forward(queue, shape, table, tokens, [fixed, learned], x)
    }

    fn embedding_backward(
        queue: &Queue,
        shape: EmbeddingShape,
        dx: DeviceSlice<'_>,
        tokens: DeviceSlice<'_, usize>,
        dtable: DeviceSliceMut<'_>,
    ) -> Result<(), CudaError> {
        embedding::backward(queue, shape, dx, tokens, dtable)
    }

    fn position_table_backward(
        queue: &Queue,
        shape: EmbeddingShape,
        dx: DeviceSlice<'_>,
        dlearned: DeviceSliceMut<'_>,
    ) -> Result<(), CudaError> {
        embedding::position_table_backward(queue, shape, dx, dlearned)
    }

    fn activation_forward(
        queue: &Queue,
        activation: Activation,
        inputs: DeviceSlice<'_>,
        gates: Option<DeviceSlice<'_>>,
        active: DeviceSliceMut<'_>,
    ) -> Result<(), CudaError> {
        activation::forward(queue, activation, inputs, gates, active)
    }

    fn activation_backward(
        queue: &Queue,
        activation: Activation,
        inputs: DeviceSliceMut<'_>,
        gates: Option<DeviceSliceMut<'_>>,
        gradient: DeviceSliceMut<'_>,
    ) -> Result<(), CudaError> {
        activation::backward(queue, activation, inputs, gates, gradient)
    }

    /// Positions are added to the finished queries, see [`position_terms`](Kernels::position_terms).
    fn start_queries(
        _: &Queue,
        _: &Layout,
        _: Positions<'_, Self>,
        _: DeviceSlice<'_>,
        _: DeviceSliceMut<'_>,
    ) -> Result<Mode, CudaError> {
        Ok(Mode::Set)
    }

    fn position_terms(
        queue: &Queue,
        layout: &Layout,
        positions: Option<Positions<'_, Self>>,
        weights: [DeviceSlice<'_>; 2],
        slopes: &[f32],
        qkv: DeviceSliceMut<'_>,
    ) -> Result<Terms, CudaError> {
        position::terms(queue, layout, positions, weights, slopes, qkv)
    }

    fn rotate(
        queue: &Queue,
        layout: &Layout,
        qkv: DeviceSliceMut<'_>,
        cos: DeviceSlice<'_>,
        sin: DeviceSlice<'_>,
        turn: Turn,
    ) -> Result<(), CudaError> {
        position::rotate(queue, layout, qkv, cos, sin, turn)
    }

    fn attention_forward(
        queue: &Queue,
        layout: &Layout,
        qkv: DeviceSlice<'_>,
        terms: &Terms,
        keys: Option<DeviceSlice<'_>>,
        out: DeviceSliceMut<'_>,
        norms: DeviceSliceMut<'_>,
    ) -> Result<(), CudaError> {
        attention::forward(queue, layout, qkv, terms, keys, out, norms)
    }

    fn attention_backward(
        queue: &Queue,
        layout: &Layout,
        saved: SavedAttention<'_, Self>,
        terms: &Terms,
        keys: Option<DeviceSlice<'_>>,
        dqkv: DeviceSliceMut<'_>,
    ) -> Result<Option<CudaSlice<f32>>, CudaError> {
        attention::backward(queue, layout, &saved, terms, keys, dqkv)
    }

    fn positions_backward(
        queue: &Queue,
        layout: &Layout,
        positions: Positions<'_, Self>,
        terms: &Terms,
        gradients: Option<CudaSlice<f32>>,
        qkv: DeviceSlice<'_>,
        dqkv: DeviceSliceMut<'_>,
    ) -> Result<FoldedGradients, CudaError> {
        let (Terms::Folded(folded), Some(dfactors)) = (terms, gradients) else {
            panic!("positions without folded columns")
        };
        position::backward(queue, layout, positions.queries, folded, &dfactors, qkv, dqkv)
    }

    fn unfold(
        queue: &Queue,
        layout: &Layout,
        columns: &OverrideBlock,
        gradients: &FoldedGradients,
        side: Side,
        dweight: DeviceSliceMut<'_>,
        width: usize,
    ) -> Result<(), CudaError> {
        position::unfold(queue, layout, columns, gradients, side, dweight, width)
    }

    fn logit_rows(vocab: usize, rows: usize) -> usize {
        cross_entropy::logit_rows(vocab, rows)
    }

    fn log_probabilities(
        queue: &Queue,
        sizes: (usize, usize),
        logits: DeviceSliceMut<'_>,
        targets: DeviceSlice<'_, usize>,
        scores: DeviceSliceMut<'_>,
    ) -> Result<(), CudaError> {
        cross_entropy::scores(queue, sizes, logits, targets, None, scores)
    }

    fn losses(queue: &Queue, rows: usize) -> Result<CudaSlice<f32>, CudaError> {
        queue.scratch(rows)
    }

    fn cross_entropy(
        queue: &Queue,
        (first, rows, vocab): (usize, usize, usize),
        logits: DeviceSliceMut<'_>,
        targets: DeviceSlice<'_, usize>,
        share: Option<f32>,
        losses: &mut CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        let scores = DeviceSliceMut::from(losses).skip(first);
        cross_entropy::scores(queue, (rows, vocab), logits, targets, share, scores)
    }

    fn mean_loss(
        queue: &Queue,
        rows: usize,
        losses: &CudaSlice<f32>,
        loss: DeviceSliceMut<'_>,
    ) -> Result<(), CudaError> {
        cross_entropy::mean_loss(queue, rows, losses.into(), loss)
    }

    fn reduce(
        queue: &Queue,
        sums: Vec<DeviceSliceMut<'_>>,
        others: &[Vec<DeviceSlice<'_>>],
    ) -> Result<f64, CudaError> {
        optimizer::reduce(queue, sums, others)
    }

    fn update(
        queue: &Queue,
        updates: &mut Updates,
        step: AdamWStep,
        weight: DeviceSliceMut<'_>,
        moments: [DeviceSliceMut<'_>; 2],
        gradient: CudaSlice<f32>,
    ) -> Result<(), CudaError> {
        updates.add(queue, step, weight, moments, gradient)
    }

    fn finish_updates(mut updates: Updates) -> Result<(), CudaError> {
        updates.finish()
    }
}
