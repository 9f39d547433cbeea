use core::marker::PhantomData;

use super::arithmetic::{Arithmetic, Attend, HeadPosition};
use super::kv_cache::Past;
use super::{DecodeError, Model};
use crate::kernels::{
    Bf16, CacheFormat, F32, Inputs, Matrix, Stored, add_weighted_rows, dot, gelu, layer_norm,
    matvec, position_scores, quantize, relu, rms_norm, rows, softmax, swiglu,
};
use crate::num::{Exact, Math};
use crate::position::{MAX_DIGITS, PositionEncoding, PositionError, rotate};
use crate::shape::{Activation, Config, Norm};

/// Single precision. `M` are the elementary functions in norms, activations and softmax.
///
/// Matrices of integers act on 8-bit integers: each row of inputs is quantized by its largest
/// magnitude, the sums are exact, and everything else stays in single precision.
#[derive(Debug, Clone, Copy)]
pub struct Float<M = Exact> {
    /// `1/√d_h`
    scale: f32,
    /// Whether some matrix acts on 8-bit integers.
    packs: bool,
    math: PhantomData<M>,
}

impl<M> Float<M> {
    /// The same arithmetic with other elementary functions.
    pub(super) const fn with_math<N>(self) -> Float<N> {
        Float { scale: self.scale, packs: self.packs, math: PhantomData }
    }

    fn pack(&self, x: &[f32], codes: &mut [i8]) -> f32 {
        if self.packs { quantize(x, codes) } else { 0.0 }
    }
}

impl<M: Math> Arithmetic for Float<M> {
    type Real = f32;

    fn new(model: &Model<'_>) -> Result<Self, DecodeError> {
        // A constant of the model, so never approximate.
        let scale = 1.0 / Exact::sqrt(model.config().head_width as f32);
        let packs = model.matrices().any(|(_, matrix)| matrix.is_integer());
        Ok(Self { scale, packs, math: PhantomData })
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

    fn key_codes(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        codes: &mut [u32],
    ) -> Result<(), PositionError> {
        float_codes(codes, |values| position.key_values(n, values))
    }

    fn query_codes(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        codes: &mut [u32],
    ) -> Result<(), PositionError> {
        float_codes(codes, |values| position.query_values(n, values))
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
        codes: &mut [i8],
    ) -> f32 {
        match config.norm {
            Norm::RmsNorm => rms_norm::<M>(x, gain, config.epsilon, y),
            Norm::LayerNorm => layer_norm::<M>(x, gain, config.epsilon, y),
        }
        self.pack(y, codes)
    }

    fn pack_attention(&self, x: &[f32], codes: &mut [i8]) -> f32 {
        self.pack(x, codes)
    }

    fn pack_inner(&self, x: &[f32], codes: &mut [i8]) -> f32 {
        self.pack(x, codes)
    }

    fn project(&self, matrix: &Matrix<'_>, inputs: Inputs<'_>, outputs: &mut [f32]) {
        matrix.apply(inputs, outputs);
    }

    fn project_add(&self, matrix: &Matrix<'_>, inputs: Inputs<'_>, x: &mut [f32]) {
        matrix.apply_add(inputs, x);
    }

    fn add_columns(
        &self,
        _: &impl PositionEncoding,
        codes: &[u32],
        columns: &[f32],
        q: &mut [f32],
    ) {
        let width = q.len();
        for (code, column) in codes.iter().zip(rows(columns, width)) {
            add_weighted_rows::<F32>(&[f32::from_bits(*code)], column, q);
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
        past: &Past<'_, S>,
        query: &mut [f32],
        scores: &mut [f32],
        _: &mut [i8],
    ) {
        let (width, count) = (query.len(), scores.len());
        for run in &past.runs {
            let scores = scores.get_mut(run.first..).unwrap_or_default();
            let here = run.keys.len().checked_div(width).unwrap_or(0);
            let scores = scores.get_mut(..here).unwrap_or_default();
            matvec::<S>(run.keys, width, Inputs::new(query, width), scores, here);
            for (score, bits) in scores.iter_mut().zip(run.key_scales) {
                *score *= Bf16::widen(*bits);
            }
        }
        let digits = past.codes.len().checked_div(count).unwrap_or(0);
        let mut by_digit = [0.0; MAX_DIGITS];
        let products = by_digit.get_mut(..digits).unwrap_or_default();
        for (product, columns) in products.iter_mut().zip(rows(head.key_columns, head.key_width)) {
            let columns = rows(columns, width).nth(head.kv_head);
            *product = dot::<F32>(query, columns.unwrap_or(&[]));
        }
        let now = past.codes.get(past.codes.len().saturating_sub(digits)..).unwrap_or(&[]);
        position_scores(scores, past.codes, now, products, self.scale, head.slope);
        softmax::<M>(scores);
        query.fill(0.0);
        for run in &past.runs {
            let scores = scores.get_mut(run.first..).unwrap_or_default();
            for (score, bits) in scores.iter_mut().zip(run.value_scales) {
                *score *= Bf16::widen(*bits);
            }
            add_weighted_rows::<S>(scores, run.values, query);
        }
    }
}

/// The values of a position as the bits of floats.
fn float_codes(
    codes: &mut [u32],
    values_of: impl FnOnce(&mut [f32]) -> Result<(), PositionError>,
) -> Result<(), PositionError> {
    let mut values = [0.0; MAX_DIGITS];
    values_of(values.get_mut(..codes.len()).unwrap_or_default())?;
    for (code, value) in codes.iter_mut().zip(values) {
        *code = value.to_bits();
    }
    Ok(())
}
