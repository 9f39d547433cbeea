use std::collections::HashMap;
use std::thread;

use expe_core::Config;
use expe_core::format::{Numbers, QuantizedRow, Storage, TensorId, TensorShape, layout};
use expe_core::internals::{GROUP_BYTES, unpack_group};

use super::round::{Int4Row, Int8Row, int4, int8};
use super::{Calibration, Compensation};
use crate::export::ExportError;
use crate::model::Tensors;

/// The matrices of a model as integers.
#[derive(Debug, Clone)]
pub struct Quantised {
    matrices: HashMap<(u16, u32), Rows>,
    errors: Vec<MatrixError>,
}

#[derive(Debug, Clone)]
enum Rows {
    Int8(Vec<Int8Row>),
    Int4(Vec<Int4Row>),
}

/// What rounding did to a matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatrixError {
    /// The matrix.
    pub tensor: TensorId,
    /// How it is stored.
    pub numbers: Numbers,
    /// The largest magnitude of its inputs on the calibration text.
    pub largest_input: f32,
    /// `√(E|(W − Ŵ)·x|² / E|W·x|²)`: the error of its outputs, relative to them.
    pub error: f64,
}

impl Quantised {
    /// A row of a matrix; `None` if it is not there.
    pub fn row(&self, tensor: TensorId, row: usize) -> Option<QuantizedRow<'_>> {
        Some(match self.matrices.get(&(tensor.kind.code(), tensor.layer))? {
            Rows::Int8(rows) => {
                let Int8Row { scale, codes } = rows.get(row)?;
                QuantizedRow::Int8 { scale: *scale, quants: codes }
            }
            Rows::Int4(rows) => {
                let Int4Row { scale, factors, codes } = rows.get(row)?;
                QuantizedRow::Int4 { scale: *scale, factors, quants: codes }
            }
        })
    }

    /// The error of every matrix, in the file's order.
    pub fn errors(&self) -> &[MatrixError] {
        &self.errors
    }
}

/// Round the matrices of a model that `storage` stores as integers.
///
/// # Errors
/// [`ExportError::Missing`] or [`ExportError::Weights`] for tensors that are not the configuration's.
pub fn quantise(
    config: &Config,
    tensors: &Tensors,
    calibration: &Calibration,
    storage: &Storage,
) -> Result<Quantised, ExportError> {
    let shapes: Vec<_> = layout(config)
        .filter(|shape| shape.id.kind.is_matrix())
        .map(|shape| (shape, storage.numbers_of(shape.id.kind)))
        .filter(|(_, numbers)| numbers.is_integer())
        .collect();
    let rounded = |(shape, numbers): &(TensorShape, Numbers)| {
        round(config, tensors, calibration, shape, *numbers)
    };
    // One thread per processor takes every second, third … matrix; the result does not depend on it.
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut results: Vec<Option<Result<(Rows, MatrixError), ExportError>>> = Vec::new();
    results.resize_with(shapes.len(), || None);
    thread::scope(|scope| {
        let (shapes, rounded) = (&shapes, &rounded);
        let parts: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let mine = shapes.iter().enumerate().skip(first).step_by(threads);
                    mine.map(|(index, shape)| (index, rounded(shape))).collect::<Vec<_>>()
                })
            })
            .collect();
        for part in parts {
            // A panic in a worker is this thread's panic.
            for (index, result) in
                part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            {
                results[index] = Some(result);
            }
        }
    });
    let mut quantised = Quantised { matrices: HashMap::new(), errors: Vec::new() };
    for ((shape, _), result) in shapes.iter().zip(results.into_iter().flatten()) {
        let (rows, error) = result?;
        quantised.matrices.insert((shape.id.kind.code(), shape.id.layer), rows);
        quantised.errors.push(error);
    }
    Ok(quantised)
}

/// Round one matrix.
fn round(
    config: &Config,
    tensors: &Tensors,
    calibration: &Calibration,
    shape: &TensorShape,
    numbers: Numbers,
) -> Result<(Rows, MatrixError), ExportError> {
    let TensorShape { id, rows, columns } = *shape;
    let skip = id.kind.folded(config);
    let name = id.to_string();
    let stored = tensors.get(&name).ok_or_else(|| ExportError::Missing(name.clone()))?;
    if stored.values.len() != rows * (columns + skip) {
        let found = &stored.shape;
        let expected = [rows, columns + skip];
        let message = format!("`{name}` has the shape {found:?} and not {expected:?}");
        return Err(ExportError::Weights(message));
    }
    if let Some(weight) = stored.values.iter().find(|weight| !weight.is_finite()) {
        return Err(ExportError::Weights(format!("`{name}` has the weight {weight}")));
    }
    let moments = calibration.moments(id.kind, id.layer);
    let second = moments.map_or_else(|| identity(columns), |moments| moments.second(skip));
    let mut importance: Vec<f64> = (0..columns).map(|i| second[i * columns + i]).collect();
    let mut compensation = None;
    if id.kind.is_vocabulary() {
        // Read row by row as well: every column counts alike, and none makes good another's error.
        importance.fill(1.0);
    } else {
        compensation = Some(Compensation::new(&second, columns));
    }
    let weights: Vec<Vec<f64>> = (0..rows)
        .map(|row| {
            let row = &stored.values[row * (columns + skip)..][..columns + skip];
            row[skip..].iter().map(|w| f64::from(*w)).collect()
        })
        .collect();
    let rounded = match numbers {
        Numbers::Int4 => Rows::Int4(
            weights.iter().map(|row| int4(row, &importance, compensation.as_ref())).collect(),
        ),
        _ => Rows::Int8(
            weights.iter().map(|row| int8(row, &importance, compensation.as_ref())).collect(),
        ),
    };
    let (mut lost, mut whole) = (0.0, 0.0);
    for (row, weights) in weights.iter().enumerate() {
        let found = rounded.weights(row);
        let difference: Vec<f64> = weights.iter().zip(found).map(|(w, found)| w - found).collect();
        lost += energy(&difference, &second);
        whole += energy(weights, &second);
    }
    let error = if whole > 0.0 { (lost / whole).sqrt() } else { 0.0 };
    let largest_input = moments.map_or(0.0, |moments| moments.largest());
    Ok((rounded, MatrixError { tensor: id, numbers, largest_input, error }))
}

impl Rows {
    /// The weights that the integers of a row stand for.
    fn weights(&self, row: usize) -> Vec<f64> {
        match self {
            Self::Int8(rows) => {
                let Int8Row { scale, codes } = &rows[row];
                codes.iter().map(|code| f64::from(*scale) * f64::from(*code)).collect()
            }
            Self::Int4(rows) => {
                let Int4Row { scale, factors, codes } = &rows[row];
                let groups = codes.chunks(GROUP_BYTES).zip(factors);
                let weights = groups.flat_map(|(group, factor)| {
                    let step = f64::from(*scale) * f64::from(*factor);
                    unpack_group(group).map(move |code| step * f64::from(code))
                });
                weights.collect()
            }
        }
    }
}

/// `xᵀ·H·x`
fn energy(x: &[f64], second: &[f64]) -> f64 {
    let rows = second.chunks(x.len().max(1)).zip(x);
    rows.map(|(row, a)| a * row.iter().zip(x).map(|(h, b)| h * b).sum::<f64>()).sum()
}

fn identity(width: usize) -> Vec<f64> {
    (0..width * width).map(|k| if k / width == k % width { 1.0 } else { 0.0 }).collect()
}
