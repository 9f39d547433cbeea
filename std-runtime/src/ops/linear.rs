//! The products of a projection and of its gradients.

use super::bridge::Skip;
use super::kernels::Kernels;
use super::view::{Mode, Operand, View, ViewMut};
use crate::config::Precision;

/// Numbers that are a factor of several products: as they are, or rounded to `f16` once for all of them.
pub enum Factor<'a, D: Kernels> {
    /// `f32`.
    Single(D::Slice<'a>),
    /// Rounded.
    Half(D::HalfBuffer),
}

impl<D: Kernels> Factor<'_, D> {
    /// Borrows the numbers after the first `count`.
    pub fn skip(&self, count: usize) -> Operand<'_, D> {
        match self {
            Self::Single(values) => Operand::Single(D::shorten(*values).skip(count)),
            Self::Half(values) => Operand::Half(D::read_half(values).skip(count)),
        }
    }

    /// Borrows all numbers.
    pub fn all(&self) -> Operand<'_, D> {
        self.skip(0)
    }
}

/// Makes factors of products in a precision.
pub struct Factors<'q, D: Kernels> {
    queue: &'q D::Queue,
    precision: Precision,
}

impl<'q, D: Kernels> Factors<'q, D> {
    /// Makes factors on the device of `queue`.
    pub fn new(queue: &'q D::Queue, precision: Precision) -> Self {
        Self { queue, precision }
    }

    /// Rounds `values` where the precision asks for it.
    pub fn of<'a>(&self, values: D::Slice<'a>) -> Result<Factor<'a, D>, D::Err> {
        match self.precision {
            Precision::F32 => Ok(Factor::Single(values)),
            Precision::Mixed => Ok(Factor::Half(D::round(self.queue, values)?)),
        }
    }
}

/// The products of `y = x·Wᵀ` and of its gradients: `rows` rows of `inputs` numbers in `x`, `outputs` rows of
/// `inputs` numbers in `W`. The first `skipped` columns of both are left out. Rows of `y` begin `stride`
/// numbers apart.
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
    /// Distance of rows of `y`.
    pub stride: usize,
}

impl Linear {
    /// Describes a projection of all columns with contiguous results.
    pub fn new(rows: usize, inputs: usize, outputs: usize) -> Self {
        Self { rows, inputs, outputs, skipped: 0, stride: outputs }
    }

    fn used<S: Skip>(&self, matrix: S, rows: usize) -> View<S> {
        View::new(matrix.skip(self.skipped), rows, self.inputs - self.skipped, self.inputs)
    }

    fn used_mut<S: Skip>(&self, matrix: S, rows: usize) -> ViewMut<S> {
        ViewMut::new(matrix.skip(self.skipped), rows, self.inputs - self.skipped, self.inputs)
    }

    /// Computes `y = x·Wᵀ`, or adds it to `y`.
    pub fn forward<D: Kernels>(
        &self,
        queue: &D::Queue,
        x: Operand<'_, D>,
        w: Operand<'_, D>,
        y: D::SliceMut<'_>,
        mode: Mode,
    ) -> Result<(), D::Err> {
        let y = ViewMut::new(y, self.rows, self.outputs, self.stride);
        let w = self.used(w, self.outputs).transposed();
        D::multiply(queue, y, mode, self.used(x, self.rows), w)
    }

    /// Computes `dx = dy·W`, or adds it to `dx`.
    pub fn input_gradient<D: Kernels>(
        &self,
        queue: &D::Queue,
        dy: Operand<'_, D>,
        w: Operand<'_, D>,
        dx: D::SliceMut<'_>,
        mode: Mode,
    ) -> Result<(), D::Err> {
        let dy = View::new(dy, self.rows, self.outputs, self.stride);
        let (dx, w) = (self.used_mut(dx, self.rows), self.used(w, self.outputs));
        D::multiply(queue, dx, mode, dy, w)
    }

    /// Computes `dW = dyᵀ·x`, or adds it to `dW`.
    pub fn weight_gradient<D: Kernels>(
        &self,
        queue: &D::Queue,
        dy: Operand<'_, D>,
        x: Operand<'_, D>,
        dw: D::SliceMut<'_>,
        mode: Mode,
    ) -> Result<(), D::Err> {
        let dy = View::new(dy, self.rows, self.outputs, self.stride).transposed();
        let (dw, x) = (self.used_mut(dw, self.outputs), self.used(x, self.rows));
        D::multiply(queue, dw, mode, dy, x)
    }
}
