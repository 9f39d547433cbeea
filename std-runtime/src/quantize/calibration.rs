use std::collections::HashMap;

use expe_core::format::TensorId;
use expe_core::internals::{Inputs, Observe, TensorKind, observe};
use expe_core::{DecodeError, Decoder, F32, Model};

use crate::engine::EngineError;

/// Headroom factor above the largest observed magnitude of the residual stream.
const HEADROOM: f32 = 4.0;
/// Number of tokens that are computed together.
const CHUNK: usize = 16;

/// Statistics of a model's activations on text.
#[derive(Debug, Clone)]
pub struct Calibration {
    moments: HashMap<(u16, u32), Moments>,
    largest_residual: f32,
}

/// Second moments and range of the inputs of a matrix.
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

    /// Returns `E[x·xᵀ]` without the first `skip` dimensions: `[width − skip, width − skip]`, row-major.
    pub fn second(&self, skip: usize) -> Vec<f64> {
        let rows = self.sums.chunks_exact(self.width).skip(skip);
        let count = self.rows.max(1) as f64;
        rows.flat_map(|row| row[skip..].iter().map(|sum| sum / count)).collect()
    }

    /// Returns the largest magnitude of an input.
    pub const fn largest(&self) -> f32 {
        self.largest
    }
}

impl Calibration {
    /// Runs `model`, whose matrices must be `f32`, on `windows` of text.
    ///
    /// # Errors
    /// [`EngineError`] for a model that cannot be run, or for tokens outside its vocabulary.
    pub fn new(model: &Model<'_>, windows: &[&[u32]]) -> Result<Self, EngineError> {
        let config = model.config();
        let context = windows.iter().map(|window| window.len()).max().unwrap_or(0);
        let (mut cache, mut workspace) = (
            vec![0; config.cache_len::<F32>(context)],
            vec![0; config.workspace_len(CHUNK, context)],
        );
        let decoder = Decoder::new(model, model.position()?)?;
        let mut cache = decoder.cache::<F32>(context, &mut cache).map_err(DecodeError::from)?;
        let mut workspace =
            decoder.workspace(CHUNK, context, &mut workspace).map_err(DecodeError::from)?;
        let mut calibration = Self { moments: HashMap::new(), largest_residual: 0.0 };
        for window in windows {
            cache.clear();
            observe(&decoder, window, &mut cache, &mut workspace, &mut calibration)?;
        }
        Ok(calibration)
    }

    /// Returns the moments of the inputs of the matrix `kind` in `layer`, or `None` if the model did not use it.
    pub fn moments(&self, kind: TensorKind, layer: u32) -> Option<&Moments> {
        self.moments.get(&(same_input(kind).code(), layer))
    }

    /// Returns the range of the residual stream for integer arithmetic: four times the largest observed
    /// magnitude.
    pub fn residual_range(&self) -> f32 {
        self.largest_residual * HEADROOM
    }
}

/// Returns the matrix whose moments represent all matrices with the same input as `kind`.
fn same_input(kind: TensorKind) -> TensorKind {
    match kind {
        TensorKind::Wq | TensorKind::Wk => TensorKind::Wv,
        TensorKind::W3 => TensorKind::W1,
        TensorKind::Embed => TensorKind::Head,
        other => other,
    }
}

impl Observe<f32> for Calibration {
    fn residual(&mut self, row: &[f32]) {
        self.largest_residual = row.iter().fold(self.largest_residual, |max, x| max.max(x.abs()));
    }

    fn inputs(&mut self, tensor: TensorId, inputs: Inputs<'_>) {
        let TensorId { kind, layer } = tensor;
        if same_input(kind) != kind {
            return;
        }
        let Some(width) = inputs.iter().next().map(<[f32]>::len) else { return };
        let moments =
            self.moments.entry((kind.code(), layer)).or_insert_with(|| Moments::new(width));
        inputs.iter().for_each(|row| moments.add(row));
    }
}
