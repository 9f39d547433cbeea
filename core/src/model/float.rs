use core::marker::PhantomData;

use super::arithmetic::Arithmetic;
use super::attention::{Attend, HeadPosition, Past};
use super::{DecodeError, Model};
use crate::kernels::{
    Bf16, CacheFormat, F32, Inputs, Matrix, Stored, add_weighted_rows, dot, gelu, layer_norm,
    matvec, position_scores, quantize, relu, rms_norm, rows, softmax, swiglu,
};
use crate::num::invariant::{quotient, slice, slice_mut};
use crate::num::{Exact, Math};
use crate::position::{MAX_DIGITS, PositionEncoding, PositionError, rotate};
use crate::shape::{Activation, Config, Norm};

/// Single precision. `M` provides the elementary functions of norms, activations and softmax.
///
/// Integer matrices act on 8-bit integers: each input row is quantized by its largest magnitude, the
/// sums are exact, and everything else stays in single precision.
#[derive(Debug, Clone, Copy)]
pub struct Float<M = Exact> {
    /// `1/√d_h`
    scale: f32,
    /// Whether some matrix acts on 8-bit integers.
    quantizes: bool,
    math: PhantomData<M>,
}

impl<M> Float<M> {
    /// Returns the same arithmetic with other elementary functions.
    pub(super) const fn with_math<N>(self) -> Float<N> {
        Float { scale: self.scale, quantizes: self.quantizes, math: PhantomData }
    }

    fn quantize(&self, x: &[f32], quants: &mut [i8]) -> f32 {
        if self.quantizes { quantize(x, quants) } else { 0.0 }
    }
}

impl<M: Math> Arithmetic for Float<M> {
    type Scalar = f32;
    type PositionWord = f32;

    fn new(model: &Model<'_>) -> Result<Self, DecodeError> {
        // A constant of the model, so never approximate.
        let scale = 1.0 / Exact::sqrt(model.config().head_width as f32);
        let quantizes = model.matrices().any(|(_, matrix)| matrix.is_integer());
        Ok(Self { scale, quantizes, math: PhantomData })
    }

    fn embed(&self, embed: &Matrix<'_>, token: usize, x: &mut [f32]) {
        embed.read_row(token, x);
    }

    fn embed_position(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        x: &mut [f32],
    ) -> Result<(), PositionError> {
        position.embed(n, x)
    }

    fn key_words(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        words: &mut [f32],
    ) -> Result<(), PositionError> {
        position.key_values(n, words)
    }

    fn query_words(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        words: &mut [f32],
    ) -> Result<(), PositionError> {
        position.query_values(n, words)
    }

    fn rotation(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        table: &mut [f32],
    ) -> Result<(), PositionError> {
        position.rotation(n, table)
    }

    fn norm(
        &self,
        config: &Config,
        x: &[f32],
        gain: &[f32],
        y: &mut [f32],
        quants: &mut [i8],
    ) -> f32 {
        match config.norm {
            Norm::RmsNorm => rms_norm::<M>(x, gain, config.epsilon, y),
            Norm::LayerNorm => layer_norm::<M>(x, gain, config.epsilon, y),
        }
        self.quantize(y, quants)
    }

    fn quantize_attention(&self, x: &[f32], quants: &mut [i8]) -> f32 {
        self.quantize(x, quants)
    }

    fn quantize_inner(&self, x: &[f32], quants: &mut [i8]) -> f32 {
        self.quantize(x, quants)
    }

    fn project(&self, matrix: &Matrix<'_>, inputs: Inputs<'_>, outputs: &mut [f32]) {
        matrix.apply(inputs, outputs);
    }

    fn project_add(&self, matrix: &Matrix<'_>, inputs: Inputs<'_>, x: &mut [f32]) {
        matrix.apply_add(inputs, x);
    }

    fn add_folded(&self, _: &impl PositionEncoding, words: &[f32], folded: &[f32], q: &mut [f32]) {
        let width = q.len();
        for (value, folded) in words.iter().zip(rows(folded, width)) {
            add_weighted_rows::<F32>(&[*value], folded, q);
        }
    }

    fn rotate(&self, table: &[f32], head: &mut [f32]) {
        rotate(table, head);
    }

    fn activate(&self, activation: Activation, x: &mut [f32], gate: &[f32]) {
        match activation {
            Activation::Gelu => gelu::<M>(x),
            Activation::SwiGlu => swiglu::<M>(x, gate),
            Activation::Relu => relu(x),
        }
    }
}

impl<M: Math, S: CacheFormat> Attend<S> for Float<M> {
    fn store(&self, row: &[f32], place: &mut [S::Bits]) -> u16 {
        S::store(row, place)
    }

    fn attend(
        &self,
        _: &impl PositionEncoding,
        head: &HeadPosition<'_>,
        past: &Past<'_, S, f32>,
        query: &mut [f32],
        scores: &mut [f32],
        _: &mut [i8],
    ) {
        let (width, count) = (query.len(), scores.len());
        for run in &past.runs {
            let length = quotient(run.keys.len(), width);
            let scores = slice_mut(slice_mut(scores, run.first..), ..length);
            matvec::<S>(run.keys, width, Inputs::new(query, width), scores, length);
            for (score, bits) in scores.iter_mut().zip(run.key_scales) {
                *score *= Bf16::widen(*bits);
            }
        }
        let digits = quotient(past.position_words.len(), count);
        let mut by_digit = [0.0; MAX_DIGITS];
        let products = slice_mut(&mut by_digit, ..digits);
        for (product, folded) in products.iter_mut().zip(rows(head.key_folded, head.key_width)) {
            *product =
                dot::<F32>(query, slice(folded, head.kv_head * width..(head.kv_head + 1) * width));
        }
        let now = slice(past.position_words, past.position_words.len() - digits..);
        position_scores(scores, past.position_words, now, products, self.scale, head.slope);
        softmax::<M>(scores);
        query.fill(0.0);
        for run in &past.runs {
            let scores = slice_mut(scores, run.first..);
            for (score, bits) in scores.iter_mut().zip(run.value_scales) {
                *score *= Bf16::widen(*bits);
            }
            add_weighted_rows::<S>(scores, run.values, query);
        }
    }
}
