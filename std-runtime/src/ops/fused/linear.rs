use super::buffer::Buffer;
use super::half_precision::rounded;
use super::product::{Mode, View, ViewMut, multiply};
use crate::ops::Precision;

/// The products of `y = x·Wᵀ` and of its derivatives, for `rows` rows of `inputs` numbers in `x` and `outputs`
/// of them in `W`. The first `skipped` columns of both take no part. Rows of `y` begin `stride` numbers apart.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    /// Rows of `x` and `y`.
    pub rows: usize,
    /// Columns of `x` and `W`.
    pub inputs: usize,
    /// Rows of `W`, columns of `y`.
    pub outputs: usize,
    /// Columns of `x` and `W` that are left out.
    pub skipped: usize,
    /// Where the next row of `y` begins.
    pub stride: usize,
    /// The numbers of the factors.
    pub precision: Precision,
}

impl Linear {
    /// All columns, and rows of `y` one right after the other.
    pub fn new(rows: usize, inputs: usize, outputs: usize, precision: Precision) -> Self {
        Self { rows, inputs, outputs, skipped: 0, stride: outputs, precision }
    }

    /// What `values` are as a factor; `place` holds them where that is not themselves.
    fn factor<'a>(&self, values: &'a [f32], place: &'a mut Buffer) -> &'a [f32] {
        match self.precision {
            Precision::F32 => values,
            Precision::Mixed => {
                *place = rounded(values);
                place
            }
        }
    }

    /// The columns of `rows` rows in `matrix` that take part.
    fn used<'a>(&self, matrix: &'a [f32], rows: usize) -> View<'a> {
        let matrix = matrix.get(self.skipped..).unwrap_or_default();
        View::new(matrix, rows, self.inputs - self.skipped, self.inputs)
    }

    fn used_mut<'a>(&self, matrix: &'a mut [f32], rows: usize) -> ViewMut<'a> {
        let matrix = matrix.get_mut(self.skipped..).unwrap_or_default();
        ViewMut::new(matrix, rows, self.inputs - self.skipped, self.inputs)
    }

    /// `y = x·Wᵀ`, or added to `y`.
    pub fn forward(&self, x: &[f32], w: &[f32], y: &mut [f32], mode: Mode) {
        let (mut rounded_x, mut rounded_w) = <[Buffer; 2]>::default().into();
        let (x, w) = (self.factor(x, &mut rounded_x), self.factor(w, &mut rounded_w));
        let y = ViewMut::new(y, self.rows, self.outputs, self.stride);
        let w = self.used(w, self.outputs).transposed();
        multiply(y, mode, 1.0, self.used(x, self.rows), w);
    }

    /// `dx = dy·W`, or added to `dx`.
    pub fn input_slopes(&self, dy: &[f32], w: &[f32], dx: &mut [f32], mode: Mode) {
        let (mut rounded_dy, mut rounded_w) = <[Buffer; 2]>::default().into();
        let (dy, w) = (self.factor(dy, &mut rounded_dy), self.factor(w, &mut rounded_w));
        let dy = View::new(dy, self.rows, self.outputs, self.stride);
        multiply(self.used_mut(dx, self.rows), mode, 1.0, dy, self.used(w, self.outputs));
    }

    /// `dW = dyᵀ·x`, or added to `dW`.
    pub fn weight_slopes(&self, dy: &[f32], x: &[f32], dw: &mut [f32], mode: Mode) {
        let (mut rounded_dy, mut rounded_x) = <[Buffer; 2]>::default().into();
        let (dy, x) = (self.factor(dy, &mut rounded_dy), self.factor(x, &mut rounded_x));
        let dy = View::new(dy, self.rows, self.outputs, self.stride).transposed();
        multiply(self.used_mut(dw, self.outputs), mode, 1.0, dy, self.used(x, self.rows));
    }
}
