//! Matrix products in portable Rust: the kernels in `arch` are bit-identical to these.

use super::dot::dot;
use super::inputs::Inputs;
use super::rows::{rows, rows_mut};
use super::stored::Stored;

/// Calls `put(y, w·x)` for every output `y`: the reference for the kernels in `arch`.
#[inline(always)]
pub(super) fn matvec_portable<S: Stored>(
    weights: &[S::Bits],
    cols: usize,
    inputs: Inputs<'_>,
    outputs: &mut [f32],
    outs: usize,
    put: impl Fn(&mut f32, f32),
) {
    // The outer loop is over the weights, so that each row is read from memory once for all inputs.
    for (o, row) in rows(weights, cols).enumerate() {
        for (x, y) in inputs.iter().zip(rows_mut(outputs, outs)) {
            if let Some(y) = y.get_mut(o) {
                put(y, dot::<S>(row, x));
            }
        }
    }
}

/// Computes `y += Σ_m factors[m]·matrix[m]`: the reference for the kernels in `arch`.
pub(super) fn add_weighted_rows_portable<S: Stored>(
    factors: &[f32],
    matrix: &[S::Bits],
    y: &mut [f32],
) {
    for (factor, row) in factors.iter().zip(rows(matrix, y.len())) {
        for (y, x) in y.iter_mut().zip(row) {
            *y += factor * S::widen(*x);
        }
    }
}
