use std::cell::RefCell;
use std::collections::HashMap;

use expe_core::format::TensorKind;
use expe_core::internals::{Arithmetic, Attend, HeadPosition, Inputs, Matrix, Past, Weights};
use expe_core::position::{PositionEncoding, PositionError};
use expe_core::{
    Activation, CacheFormat, Config, DecodeError, Decoder, F32, Float, KvCache, Model, Workspace,
};

use crate::engine::EngineError;

/// Room above the largest magnitude that was seen in the residual stream.
const HEADROOM: f32 = 4.0;
/// Tokens that are read together.
const CHUNK: usize = 16;

/// What text makes of a model's numbers.
#[derive(Debug, Clone)]
pub struct Calibration {
    moments: HashMap<(u16, u32), Moments>,
    largest_residual: f32,
}

/// The inputs of a matrix, as far as rounding needs to know them.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// `Σ x·xᵀ`, `[width, width]`.
    sums: Vec<f64>,
    width: usize,
    rows: u64,
    largest: f32,
}

impl Moments {
    fn new(width: usize) -> Self {
        Self { sums: vec![0.0; width * width], width, rows: 0, largest: 0.0 }
    }

    fn add(&mut self, x: &[f32]) {
        for (row, a) in self.sums.chunks_exact_mut(self.width).zip(x) {
            let a = f64::from(*a);
            for (sum, b) in row.iter_mut().zip(x) {
                *sum += a * f64::from(*b);
            }
        }
        self.rows += 1;
        self.largest = x.iter().fold(self.largest, |max, x| max.max(x.abs()));
    }

    /// `E[x·xᵀ]` without the first `skip` columns: `[width − skip, width − skip]`, row by row.
    pub fn second(&self, skip: usize) -> Vec<f64> {
        let rows = self.sums.chunks_exact(self.width).skip(skip);
        let count = self.rows.max(1) as f64;
        rows.flat_map(|row| row[skip..].iter().map(|sum| sum / count)).collect()
    }

    /// The largest magnitude of an input.
    pub const fn largest(&self) -> f32 {
        self.largest
    }
}

impl Calibration {
    /// Read `windows` of text with `model`, whose matrices must be `f32`.
    ///
    /// # Errors
    /// [`EngineError`] for a model that cannot be run, or tokens that it does not know.
    pub fn new(model: &Model<'_>, windows: &[&[u32]]) -> Result<Self, EngineError> {
        let config = model.config();
        let context = windows.iter().map(|window| window.len()).max().unwrap_or(0);
        let (mut cache, mut workspace) = (
            vec![0; config.cache_len::<F32>(context)],
            vec![0; config.workspace_len(CHUNK, context)],
        );
        let mut cache =
            KvCache::<F32>::new(config, context, &mut cache).map_err(DecodeError::from)?;
        let mut workspace =
            Workspace::new(config, CHUNK, context, &mut workspace).map_err(DecodeError::from)?;
        let decoder = Decoder::with_arithmetic(model, model.position()?, Observer::new(model)?)?;
        for window in windows {
            cache.clear();
            decoder.forward_each(window, &mut cache, &mut workspace, |_, _| {})?;
        }
        Ok(decoder.arithmetic().seen.borrow().clone())
    }

    /// The inputs of the matrix `kind` of `layer`; `None` if it was never used.
    pub fn moments(&self, kind: TensorKind, layer: u32) -> Option<&Moments> {
        self.moments.get(&(same_input(kind).code(), layer))
    }

    /// The range that the residual stream should have in integer arithmetic: four times the largest
    /// magnitude that was seen.
    pub fn residual_range(&self) -> f32 {
        self.largest_residual * HEADROOM
    }
}

/// The matrix that stands for all with the same input.
fn same_input(kind: TensorKind) -> TensorKind {
    match kind {
        TensorKind::Wq | TensorKind::Wk => TensorKind::Wv,
        TensorKind::W3 => TensorKind::W1,
        TensorKind::Embed => TensorKind::Head,
        other => other,
    }
}

/// Single precision that keeps what it sees.
struct Observer {
    float: Float,
    /// Kind and layer of a matrix, by the address of its weights.
    names: HashMap<usize, (TensorKind, u32)>,
    seen: RefCell<Calibration>,
}

impl Observer {
    fn see(&self, matrix: &Matrix<'_>, inputs: Inputs<'_>) {
        let Some((kind, layer)) = address(matrix).and_then(|at| self.names.get(&at)) else {
            return;
        };
        // The others have the same input.
        if same_input(*kind) != *kind && *kind != TensorKind::Embed {
            return;
        }
        let mut seen = self.seen.borrow_mut();
        let key = (same_input(*kind).code(), *layer);
        let moments = seen.moments.entry(key).or_insert_with(|| Moments::new(matrix.cols()));
        inputs.iter().for_each(|row| moments.add(row));
    }
}

fn address(matrix: &Matrix<'_>) -> Option<usize> {
    match matrix.weights() {
        Weights::F32(weights) => Some(weights.as_ptr().addr()),
        _ => None,
    }
}

impl Arithmetic for Observer {
    type Real = f32;

    fn new(model: &Model<'_>) -> Result<Self, DecodeError> {
        let named = model.matrices();
        let names = named
            .filter_map(|(id, matrix)| Some((address(&matrix)?, (id.kind, id.layer))))
            .collect();
        let seen = Calibration { moments: HashMap::new(), largest_residual: 0.0 };
        Ok(Self { float: Float::new(model)?, names, seen: RefCell::new(seen) })
    }

    fn embed(&self, embed: &Matrix<'_>, token: usize, x: &mut [f32]) {
        self.float.embed(embed, token, x);
    }

    fn embed_position(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        x: &mut [f32],
    ) -> Result<(), PositionError> {
        self.float.embed_position(position, n, x)
    }

    fn key_codes(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        codes: &mut [u32],
    ) -> Result<(), PositionError> {
        self.float.key_codes(position, n, codes)
    }

    fn query_codes(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        codes: &mut [u32],
    ) -> Result<(), PositionError> {
        self.float.query_codes(position, n, codes)
    }

    fn rotation(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        table: &mut [f32],
    ) -> Result<(), PositionError> {
        self.float.rotation(position, n, table)
    }

    fn norm(
        &self,
        config: &Config,
        x: &[f32],
        gain: &[f32],
        y: &mut [f32],
        codes: &mut [i8],
    ) -> f32 {
        let mut seen = self.seen.borrow_mut();
        seen.largest_residual = x.iter().fold(seen.largest_residual, |max, x| max.max(x.abs()));
        self.float.norm(config, x, gain, y, codes)
    }

    fn pack_attention(&self, x: &[f32], codes: &mut [i8]) -> f32 {
        self.float.pack_attention(x, codes)
    }

    fn pack_inner(&self, x: &[f32], codes: &mut [i8]) -> f32 {
        self.float.pack_inner(x, codes)
    }

    fn project(&self, matrix: &Matrix<'_>, inputs: Inputs<'_>, outputs: &mut [f32]) {
        self.see(matrix, inputs);
        self.float.project(matrix, inputs, outputs);
    }

    fn project_add(&self, matrix: &Matrix<'_>, inputs: Inputs<'_>, x: &mut [f32]) {
        self.see(matrix, inputs);
        self.float.project_add(matrix, inputs, x);
    }

    fn add_columns(
        &self,
        position: &impl PositionEncoding,
        codes: &[u32],
        columns: &[f32],
        q: &mut [f32],
    ) {
        self.float.add_columns(position, codes, columns, q);
    }

    fn rotate(&self, table: &[f32], head: &mut [f32]) {
        self.float.rotate(table, head);
    }

    fn activate(&self, activation: Activation, x: &mut [f32], gate: &[f32]) {
        self.float.activate(activation, x, gate);
    }
}

impl<S: CacheFormat> Attend<S> for Observer {
    fn store(&self, row: &[f32], place: &mut [S::Bits]) -> u16 {
        Attend::<S>::store(&self.float, row, place)
    }

    fn attend(
        &self,
        position: &impl PositionEncoding,
        head: &HeadPosition<'_>,
        past: &Past<'_, S>,
        query: &mut [f32],
        scores: &mut [f32],
        codes: &mut [i8],
    ) {
        self.float.attend(position, head, past, query, scores, codes);
    }
}
