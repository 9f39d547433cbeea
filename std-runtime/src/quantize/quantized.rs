use std::collections::HashMap;
use std::thread;

use expe_core::Config;
use expe_core::format::TensorId;
use expe_core::internals::{
    DType, GROUP_BYTES, QuantizedRow, Storage, TensorShape, layout, unpack_group,
};

use super::round::{Int4Row, Int8Row, int4, int8};
use super::{Calibration, Compensation, QuantizeError};
use crate::model::Tensors;

/// The matrices of a model as integers with scales.
#[derive(Debug, Clone)]
pub struct Quantized {
    matrices: HashMap<(u16, u32), Rows>,
    errors: Vec<MatrixError>,
}

#[derive(Debug, Clone)]
enum Rows {
    Int8(Vec<Int8Row>),
    Int4(Vec<Int4Row>),
}

/// The rounding error of a matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatrixError {
    /// The matrix.
    pub tensor: TensorId,
    /// The type of its stored elements.
    pub dtype: DType,
    /// The largest magnitude of its inputs on the calibration text.
    pub largest_input: f32,
    /// `√(E|(W − Ŵ)·x|² / E|W·x|²)`: the relative error of its outputs.
    pub error: f64,
}

impl Quantized {
    /// Returns a row of a matrix, or `None` if the matrix or the row does not exist.
    pub fn row(&self, tensor: TensorId, row: usize) -> Option<QuantizedRow<'_>> {
        Some(match self.matrices.get(&(tensor.kind.code(), tensor.layer))? {
            Rows::Int8(rows) => {
                let Int8Row { scale, quants } = rows.get(row)?;
                QuantizedRow::Int8 { scale: *scale, quants }
            }
            Rows::Int4(rows) => {
                let Int4Row { scale, factors, quants } = rows.get(row)?;
                QuantizedRow::Int4 { scale: *scale, factors, quants }
            }
        })
    }

    /// Returns the error of every matrix, in the order of the file.
    pub fn errors(&self) -> &[MatrixError] {
        &self.errors
    }
}

/// Quantizes the matrices of a model that `storage` stores as integers.
///
/// The result depends on `tensors`, `calibration` and `storage` only, not on the number of threads.
///
/// # Errors
/// [`QuantizeError`] for a tensor that does not match `config` or contains a weight that is not finite.
pub fn quantize(
    config: &Config,
    tensors: &Tensors,
    calibration: &Calibration,
    storage: &Storage,
) -> Result<Quantized, QuantizeError> {
    let shapes: Vec<_> = layout(config)
        .filter(|shape| shape.id.kind.is_matrix())
        .map(|shape| (shape, storage.dtype_of(shape.id.kind)))
        .filter(|(_, dtype)| dtype.is_integer())
        .collect();
    let rounded =
        |(shape, dtype): &(TensorShape, DType)| round(config, tensors, calibration, shape, *dtype);
    // Thread i of n rounds the matrices i, i + n, i + 2n, …
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut results: Vec<Option<Result<(Rows, MatrixError), QuantizeError>>> = Vec::new();
    results.resize_with(shapes.len(), || None);
    thread::scope(|scope| {
        let (shapes, rounded) = (&shapes, &rounded);
        let workers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let mine = shapes.iter().enumerate().skip(first).step_by(threads);
                    mine.map(|(index, shape)| (index, rounded(shape))).collect::<Vec<_>>()
                })
            })
            .collect();
        for worker in workers {
            // Propagates a panic of a worker.
            for (index, result) in
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            {
                results[index] = Some(result);
            }
        }
    });
    let mut quantized = Quantized { matrices: HashMap::new(), errors: Vec::new() };
    for ((shape, _), result) in shapes.iter().zip(results.into_iter().flatten()) {
        let (rows, error) = result?;
        quantized.matrices.insert((shape.id.kind.code(), shape.id.layer), rows);
        quantized.errors.push(error);
    }
    Ok(quantized)
}

/// Rounds one matrix.
fn round(
    config: &Config,
    tensors: &Tensors,
    calibration: &Calibration,
    shape: &TensorShape,
    dtype: DType,
) -> Result<(Rows, MatrixError), QuantizeError> {
    let TensorShape { id, rows, columns } = *shape;
    let skip = id.kind.folded(config);
    let name = id.to_string();
    let stored = tensors.get(&name).ok_or_else(|| QuantizeError::Missing(name.clone()))?;
    if stored.values.len() != rows * (columns + skip) {
        let (expected, found) = ([rows, columns + skip], stored.shape.clone());
        return Err(QuantizeError::Shape { name, expected, found });
    }
    if let Some(weight) = stored.values.iter().find(|weight| !weight.is_finite()) {
        return Err(QuantizeError::NotFinite { name, weight: weight.to_string() });
    }
    let moments = calibration.moments(id.kind, id.layer);
    let second = moments.map_or_else(|| identity(columns), |moments| moments.second(skip));
    let mut importance: Vec<f64> = (0..columns).map(|i| second[i * columns + i]).collect();
    let mut compensation = None;
    if id.kind.is_vocabulary() {
        // The rows of an embedding are also read one at a time, so all columns have the same importance, and no
        // column can compensate for the error of another.
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
    let rounded = match dtype {
        DType::Int4 => Rows::Int4(
            weights.iter().map(|row| int4(row, &importance, compensation.as_ref())).collect(),
        ),
        _ => Rows::Int8(
            weights.iter().map(|row| int8(row, &importance, compensation.as_ref())).collect(),
        ),
    };
    let (mut lost, mut total) = (0.0, 0.0);
    for (row, weights) in weights.iter().enumerate() {
        let found = rounded.weights(row);
        let difference: Vec<f64> = weights.iter().zip(found).map(|(w, found)| w - found).collect();
        lost += energy(&difference, &second);
        total += energy(weights, &second);
    }
    let error = if total > 0.0 { (lost / total).sqrt() } else { 0.0 };
    let largest_input = moments.map_or(0.0, |moments| moments.largest());
    Ok((rounded, MatrixError { tensor: id, dtype, largest_input, error }))
}

impl Rows {
    /// Returns the weights that the integers of a row represent.
    fn weights(&self, row: usize) -> Vec<f64> {
        match self {
            Self::Int8(rows) => {
                let Int8Row { scale, quants } = &rows[row];
                quants.iter().map(|quant| f64::from(*scale) * f64::from(*quant)).collect()
            }
            Self::Int4(rows) => {
                let Int4Row { scale, factors, quants } = &rows[row];
                let groups = quants.chunks(GROUP_BYTES).zip(factors);
                let weights = groups.flat_map(|(group, factor)| {
                    let step = f64::from(*scale) * f64::from(*factor);
                    unpack_group(group).map(move |quant| step * f64::from(quant))
                });
                weights.collect()
            }
        }
    }
}

/// Computes `xᵀ·H·x`, where `H` is `second`.
fn energy(x: &[f64], second: &[f64]) -> f64 {
    let rows = second.chunks(x.len().max(1)).zip(x);
    rows.map(|(row, a)| a * row.iter().zip(x).map(|(h, b)| h * b).sum::<f64>()).sum()
}

fn identity(width: usize) -> Vec<f64> {
    (0..width * width).map(|k| if k / width == k % width { 1.0 } else { 0.0 }).collect()
}
