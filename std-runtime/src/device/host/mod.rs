//! The processor's kernels: products by the `gemm` crate, loops in vector instructions.
//!
//! Everything but [`reduce`](Kernels::reduce) and [`update`](Kernels::update) runs on the calling thread: a batch
//! is divided between threads as a whole.

mod activation;
mod attention;
mod cross_entropy;
mod embedding;
mod half_precision;
mod norm;
mod optimizer;
mod position;
mod product;
mod terms;
#[cfg(test)]
mod testing;
mod vector;

use dfdx::tensor::{Cpu, CpuError};
use expe_core::Activation;
use expe_core::position::OverrideBlock;

use self::position::FoldedGradients;
use self::terms::Terms;
use self::vector::vectorized;
use crate::ops::bridge::host::Buffer;
use crate::ops::view::{Mode, Operand, View, ViewMut};
use crate::ops::{
    AdamWStep, EmbeddingShape, Kernels, Layout, NormKind, Positions, SavedAttention, Side, Turn,
};

/// Borrows the numbers of a factor; rounded ones are `f32` as well.
fn numbers(view: View<Operand<'_, Cpu>>) -> View<&[f32]> {
    let (Operand::Single(data) | Operand::Half(data)) = view.data;
    let View { rows, cols, stride, transposed, .. } = view;
    View { data, rows, cols, stride, transposed }
}

impl Kernels for Cpu {
    const SHARDS: usize = 4;
    const WIDEST_HEAD: usize = usize::MAX;

    type Terms = Terms;
    /// Of the folded key columns.
    type TermGradients = Vec<Vec<f32>>;
    type FoldedGradients = FoldedGradients;
    /// Their sum.
    type Losses = f64;
    /// Updates are made at once.
    type Updates = ();

    fn round((): &(), x: &[f32]) -> Result<Buffer, CpuError> {
        Ok(half_precision::rounded(x))
    }

    fn multiply(
        (): &(),
        to: ViewMut<&mut [f32]>,
        mode: Mode,
        lhs: View<Operand<'_, Self>>,
        rhs: View<Operand<'_, Self>>,
    ) -> Result<(), CpuError> {
        product::multiply(to, mode, 1.0, numbers(lhs), numbers(rhs));
        Ok(())
    }

    fn add((): &(), y: &mut [f32], x: &[f32]) -> Result<(), CpuError> {
        vectorized(
            #[inline(always)]
            || vector::add(y, x),
        );
        Ok(())
    }

    fn add_scaled(
        (): &(),
        y: &mut [f32],
        x: &[f32],
        scalar: &[f32],
        factor: f32,
    ) -> Result<(), CpuError> {
        let factor = scalar[0] * factor;
        vectorized(
            #[inline(always)]
            || vector::add_scaled(y, factor, x),
        );
        Ok(())
    }

    fn norm_forward(
        (): &(),
        kind: NormKind,
        x: &[f32],
        gain: &[f32],
        y: &mut [f32],
    ) -> Result<(), CpuError> {
        norm::forward(kind, x, gain, y);
        Ok(())
    }

    fn norm_backward(
        (): &(),
        kind: NormKind,
        x: &[f32],
        gain: &[f32],
        dy: &[f32],
        dx: &mut [f32],
        dgain: &mut [f32],
    ) -> Result<(), CpuError> {
        norm::backward(kind, x, gain, dy, dx, dgain);
        Ok(())
    }

    fn embedding_forward(
        (): &(),
        shape: EmbeddingShape,
        table: &[f32],
        tokens: &[usize],
        fixed: Option<&[f32]>,
        learned: Option<&[f32]>,
        x: &mut [f32],
    ) -> Result<(), CpuError> {
        embedding::forward(shape, table, tokens, [fixed, learned], x);
        Ok(())
    }

    fn embedding_backward(
        (): &(),
        shape: EmbeddingShape,
        dx: &[f32],
        tokens: &[usize],
        dtable: &mut [f32],
    ) -> Result<(), CpuError> {
        embedding::backward(shape, dx, tokens, dtable);
        Ok(())
    }

    fn position_table_backward(
        (): &(),
        shape: EmbeddingShape,
        dx: &[f32],
        dlearned: &mut [f32],
    ) -> Result<(), CpuError> {
        embedding::position_table_backward(shape, dx, dlearned);
        Ok(())
    }

    fn activation_forward(
        (): &(),
        activation: Activation,
        inputs: &[f32],
        gates: Option<&[f32]>,
        active: &mut [f32],
    ) -> Result<(), CpuError> {
        activation::forward(activation, inputs, gates, active);
        Ok(())
    }

    fn activation_backward(
        (): &(),
        activation: Activation,
        inputs: &mut [f32],
        gates: Option<&mut [f32]>,
        gradient: &mut [f32],
    ) -> Result<(), CpuError> {
        activation::backward(activation, inputs, gates, gradient);
        Ok(())
    }

    fn start_queries(
        (): &(),
        layout: &Layout,
        positions: Positions<'_, Self>,
        wq: &[f32],
        qkv: &mut [f32],
    ) -> Result<Mode, CpuError> {
        position::start_queries(layout, positions, wq, qkv);
        Ok(Mode::Add)
    }

    fn position_terms(
        (): &(),
        layout: &Layout,
        positions: Option<Positions<'_, Self>>,
        [_, wk]: [&[f32]; 2],
        slopes: &[f32],
        _: &mut [f32],
    ) -> Result<Terms, CpuError> {
        Ok(position::terms(layout, positions, wk, slopes))
    }

    fn rotate(
        (): &(),
        layout: &Layout,
        qkv: &mut [f32],
        cos: &[f32],
        sin: &[f32],
        turn: Turn,
    ) -> Result<(), CpuError> {
        position::rotate(layout, qkv, cos, sin, turn);
        Ok(())
    }

    fn attention_forward(
        (): &(),
        layout: &Layout,
        qkv: &[f32],
        terms: &Terms,
        _: Option<&[f32]>,
        out: &mut [f32],
        norms: &mut [f32],
    ) -> Result<(), CpuError> {
        attention::forward(qkv, layout, terms, out, norms);
        Ok(())
    }

    fn attention_backward(
        (): &(),
        layout: &Layout,
        saved: SavedAttention<'_, Self>,
        terms: &Terms,
        _: Option<&[f32]>,
        dqkv: &mut [f32],
    ) -> Result<Vec<Vec<f32>>, CpuError> {
        let mut dfolded: Vec<_> = terms.folded.iter().map(|list| vec![0.0; list.len()]).collect();
        attention::backward(&saved, layout, terms, dqkv, &mut dfolded);
        Ok(dfolded)
    }

    fn positions_backward(
        (): &(),
        layout: &Layout,
        positions: Positions<'_, Self>,
        _: &Terms,
        keys: Vec<Vec<f32>>,
        _: &[f32],
        dqkv: &mut [f32],
    ) -> Result<FoldedGradients, CpuError> {
        let queries = position::query_columns_backward(layout, positions, dqkv);
        Ok(FoldedGradients { queries, keys })
    }

    fn unfold(
        (): &(),
        _: &Layout,
        columns: &OverrideBlock,
        gradients: &FoldedGradients,
        side: Side,
        dweight: &mut [f32],
        width: usize,
    ) -> Result<(), CpuError> {
        position::unfold(columns, gradients, side, dweight, width);
        Ok(())
    }

    fn logit_rows(vocab: usize, rows: usize) -> usize {
        cross_entropy::logit_rows(vocab, rows)
    }

    fn log_probabilities(
        (): &(),
        sizes: (usize, usize),
        logits: &mut [f32],
        targets: &[usize],
        scores: &mut [f32],
    ) -> Result<(), CpuError> {
        cross_entropy::log_probabilities(sizes, logits, targets, scores);
        Ok(())
    }

    fn losses((): &(), _: usize) -> Result<f64, CpuError> {
        Ok(0.0)
    }

    fn cross_entropy(
        (): &(),
        (_, rows, vocab): (usize, usize, usize),
        logits: &mut [f32],
        targets: &[usize],
        share: Option<f32>,
        losses: &mut f64,
    ) -> Result<(), CpuError> {
        cross_entropy::cross_entropy((rows, vocab), logits, targets, share, losses);
        Ok(())
    }

    fn mean_loss((): &(), rows: usize, losses: &f64, loss: &mut [f32]) -> Result<(), CpuError> {
        loss[0] = (losses / rows as f64) as f32;
        Ok(())
    }

    fn reduce((): &(), sums: Vec<&mut [f32]>, others: &[Vec<&[f32]>]) -> Result<f64, CpuError> {
        Ok(optimizer::reduce(sums, others))
    }

    fn update(
        (): &(),
        (): &mut (),
        step: AdamWStep,
        weight: &mut [f32],
        moments: [&mut [f32]; 2],
        gradient: Vec<f32>,
    ) -> Result<(), CpuError> {
        optimizer::adamw(&step, weight, moments, &gradient);
        Ok(())
    }

    fn finish_updates((): ()) -> Result<(), CpuError> {
        Ok(())
    }
}
