use super::product::{Mode, View, ViewMut, multiply};

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
}

impl Linear {
    /// All columns, and rows of `y` one right after the other.
    pub fn new(rows: usize, inputs: usize, outputs: usize) -> Self {
        Self { rows, inputs, outputs, skipped: 0, stride: outputs }
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
        let y = ViewMut::new(y, self.rows, self.outputs, self.stride);
        let w = self.used(w, self.outputs).transposed();
        multiply(y, mode, 1.0, self.used(x, self.rows), w);
    }

    /// `dx = dy·W`, or added to `dx`.
    pub fn input_slopes(&self, dy: &[f32], w: &[f32], dx: &mut [f32], mode: Mode) {
        let dy = View::new(dy, self.rows, self.outputs, self.stride);
        multiply(self.used_mut(dx, self.rows), mode, 1.0, dy, self.used(w, self.outputs));
    }

    /// `dW = dyᵀ·x`, or added to `dW`.
    pub fn weight_slopes(&self, dy: &[f32], x: &[f32], dw: &mut [f32], mode: Mode) {
        let dy = View::new(dy, self.rows, self.outputs, self.stride).transposed();
        multiply(self.used_mut(dw, self.outputs), mode, 1.0, dy, self.used(x, self.rows));
    }
}
