use super::{F16, F32, Inputs, Stored, matvec, matvec_add, rows};

/// The elements of a matrix in one of the formats in which weights are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weights<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Half precision, as bits; all finite.
    F16(&'a [u16]),
}

/// A weight matrix `[rows, columns]`, row by row, that maps inputs of `columns` elements to outputs
/// of `rows`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matrix<'a> {
    weights: Weights<'a>,
    rows: usize,
    columns: usize,
}

impl<'a> Matrix<'a> {
    /// The matrix of these weights; `None` if their number is not `rows · columns`.
    pub fn new(weights: Weights<'a>, rows: usize, columns: usize) -> Option<Self> {
        let count = match weights {
            Weights::F32(weights) => weights.len(),
            Weights::F16(weights) => weights.len(),
        };
        (rows.checked_mul(columns) == Some(count)).then_some(Self { weights, rows, columns })
    }

    /// Rows: the width of an output.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: the width of an input.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// The stored elements.
    pub const fn weights(&self) -> Weights<'a> {
        self.weights
    }

    /// `y_r = W·x_r` for every input row; see [`matvec`].
    pub fn apply(&self, inputs: Inputs<'_>, outputs: &mut [f32]) {
        match self.weights {
            Weights::F32(w) => matvec::<F32>(w, self.columns, inputs, outputs, self.rows),
            Weights::F16(w) => matvec::<F16>(w, self.columns, inputs, outputs, self.rows),
        }
    }

    /// `y_r += W·x_r` for every input row; see [`matvec_add`].
    pub fn apply_add(&self, inputs: Inputs<'_>, outputs: &mut [f32]) {
        match self.weights {
            Weights::F32(w) => matvec_add::<F32>(w, self.columns, inputs, outputs, self.rows),
            Weights::F16(w) => matvec_add::<F16>(w, self.columns, inputs, outputs, self.rows),
        }
    }

    /// Widen row `index` into `row`; whether there is such a row.
    pub fn read_row(&self, index: usize, row: &mut [f32]) -> bool {
        match self.weights {
            Weights::F32(weights) => widen::<F32>(weights, self.columns, index, row),
            Weights::F16(weights) => widen::<F16>(weights, self.columns, index, row),
        }
    }
}

fn widen<S: Stored>(weights: &[S::Bits], columns: usize, index: usize, row: &mut [f32]) -> bool {
    let Some(stored) = rows(weights, columns).nth(index) else {
        return false;
    };
    for (value, bits) in row.iter_mut().zip(stored) {
        *value = S::widen(*bits);
    }
    true
}
