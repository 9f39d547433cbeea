//! The products of a projection and its derivatives on the device.

use std::marker::PhantomData;

use cudarc::driver::CudaSlice;
use dfdx::tensor::CudaError;

use super::context::Context;
use super::kernels::halve;
use super::product::{Numbers, View, ViewMut, multiply};
use super::span::{Span, SpanMut};
use crate::ops::Precision;
use crate::ops::fused::linear::Linear;
use crate::ops::fused::product::Mode;

/// A list of numbers as products take it: as it is, or rounded to `f16`. Rounded once for all products
/// that it is a factor of.
#[derive(Debug)]
pub enum Factor<'a> {
    /// As it is.
    Single(Span<'a>),
    /// Rounded.
    Half(CudaSlice<u16>, PhantomData<&'a [f32]>),
}

impl<'a> Factor<'a> {
    /// What `values` are as a factor in the given precision.
    ///
    /// # Errors
    /// The device's.
    fn new(
        context: &Context,
        precision: Precision,
        values: impl Into<Span<'a>>,
    ) -> Result<Self, CudaError> {
        let values = values.into();
        match precision {
            Precision::F32 => Ok(Self::Single(values)),
            Precision::Mixed => Ok(Self::Half(halve(context, values)?, PhantomData)),
        }
    }

    /// What lies behind the first `count` numbers.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn after(&self, count: usize) -> Numbers<'_> {
        match self {
            Self::Single(values) => Numbers::Single(values.after(count)),
            Self::Half(values, _) => Numbers::Half(Span::from(values).after(count)),
        }
    }
}

/// The products that [`Linear`] describes, on the device. Lists may begin anywhere inside a factor.
#[derive(Debug, Clone, Copy)]
pub struct Products<'a> {
    /// Where.
    pub context: &'a Context,
    /// Which.
    pub linear: Linear,
}

impl Products<'_> {
    /// What `values` are as a factor of these products.
    ///
    /// # Errors
    /// The device's.
    pub fn factor<'b>(&self, values: impl Into<Span<'b>>) -> Result<Factor<'b>, CudaError> {
        Factor::new(self.context, self.linear.precision, values)
    }

    /// The columns of `rows` rows that take part.
    fn used<'b>(&self, matrix: Numbers<'b>, rows: usize) -> View<'b> {
        let Linear { inputs, skipped, .. } = self.linear;
        View::new(matrix.after(skipped), rows, inputs - skipped, inputs)
    }

    fn used_mut<'b>(&self, matrix: SpanMut<'b>, rows: usize) -> ViewMut<'b> {
        let Linear { inputs, skipped, .. } = self.linear;
        ViewMut::new(matrix.after(skipped), rows, inputs - skipped, inputs)
    }

    /// The rows of `y`, or of its derivatives.
    fn outputs<'b>(&self, matrix: Numbers<'b>) -> View<'b> {
        let Linear { rows, outputs, stride, .. } = self.linear;
        View::new(matrix, rows, outputs, stride)
    }

    /// `y = x·Wᵀ`, or added to `y`.
    ///
    /// # Errors
    /// The device's.
    pub fn forward<'b>(
        &self,
        x: impl Into<Numbers<'b>>,
        w: impl Into<Numbers<'b>>,
        y: SpanMut<'_>,
        mode: Mode,
    ) -> Result<(), CudaError> {
        let Linear { rows, outputs, stride, .. } = self.linear;
        let y = ViewMut::new(y, rows, outputs, stride);
        let w = self.used(w.into(), outputs).transposed();
        multiply(self.context, y, mode, self.used(x.into(), rows), w)
    }

    /// `dx = dy·W`, or added to `dx`.
    ///
    /// # Errors
    /// The device's.
    pub fn input_slopes<'b>(
        &self,
        dy: impl Into<Numbers<'b>>,
        w: impl Into<Numbers<'b>>,
        dx: SpanMut<'_>,
        mode: Mode,
    ) -> Result<(), CudaError> {
        let Linear { rows, outputs, .. } = self.linear;
        let (dx, w) = (self.used_mut(dx, rows), self.used(w.into(), outputs));
        multiply(self.context, dx, mode, self.outputs(dy.into()), w)
    }

    /// `dW = dyᵀ·x`, or added to `dW`.
    ///
    /// # Errors
    /// The device's.
    pub fn weight_slopes<'b>(
        &self,
        dy: impl Into<Numbers<'b>>,
        x: impl Into<Numbers<'b>>,
        dw: SpanMut<'_>,
        mode: Mode,
    ) -> Result<(), CudaError> {
        let Linear { rows, outputs, .. } = self.linear;
        let (dw, x) = (self.used_mut(dw, outputs), self.used(x.into(), rows));
        multiply(self.context, dw, mode, self.outputs(dy.into()).transposed(), x)
    }
}
