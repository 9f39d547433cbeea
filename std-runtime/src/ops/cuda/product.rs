//! Matrix products on the device, through cuBLAS.
#![allow(unsafe_code)]

use std::ffi::c_int;

use cudarc::cublas::{result::sgemm, sys::cublasOperation_t as Operation};
use dfdx::tensor::CudaError;

use super::context::Context;
use super::span::{Span, SpanMut};
use crate::ops::fused::product::Mode;

/// A matrix on the device, to be read.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    data: Span<'a>,
    rows: usize,
    columns: usize,
    stride: usize,
    transposed: bool,
}

impl<'a> View<'a> {
    /// `rows` rows of `columns` elements that begin `stride` apart.
    pub fn new(data: impl Into<Span<'a>>, rows: usize, columns: usize, stride: usize) -> Self {
        Self { data: data.into(), rows, columns, stride, transposed: false }
    }

    /// The transpose.
    pub fn transposed(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    /// Rows and columns.
    fn sizes(&self) -> (usize, usize) {
        match self.transposed {
            false => (self.rows, self.columns),
            true => (self.columns, self.rows),
        }
    }

    /// What cuBLAS, which knows matrices by columns and so sees the transpose, is to do with it.
    fn operation(&self) -> Operation {
        if self.transposed { Operation::CUBLAS_OP_T } else { Operation::CUBLAS_OP_N }
    }
}

/// A row-major matrix on the device, to be written to.
#[derive(Debug)]
pub struct ViewMut<'a> {
    data: SpanMut<'a>,
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> ViewMut<'a> {
    /// `rows` rows of `columns` elements that begin `stride` apart.
    pub fn new(data: impl Into<SpanMut<'a>>, rows: usize, columns: usize, stride: usize) -> Self {
        Self { data: data.into(), rows, columns, stride }
    }
}

/// Whether a matrix lies inside of `count` elements, its rows beside each other.
fn inside(count: usize, rows: usize, columns: usize, stride: usize) -> bool {
    rows == 0 || (columns <= stride && (rows - 1) * stride + columns <= count)
}

/// `dst = lhs·rhs`, or `dst += lhs·rhs`.
///
/// # Errors
/// cuBLAS's.
///
/// # Panics
/// If the sizes do not fit together or a matrix does not fit into its place.
pub fn multiply(
    context: &Context,
    dst: ViewMut<'_>,
    mode: Mode,
    lhs: View<'_>,
    rhs: View<'_>,
) -> Result<(), CudaError> {
    let ((rows, inner), (depth, columns)) = (lhs.sizes(), rhs.sizes());
    assert_eq!((rows, inner, columns), (dst.rows, depth, dst.columns), "sizes of a product");
    assert!(inside(dst.data.count(), rows, columns, dst.stride), "result beyond its place");
    for view in [&lhs, &rhs] {
        let View { rows, columns, stride, .. } = *view;
        assert!(inside(view.data.count(), rows, columns, stride), "factor beyond its place");
    }
    if rows == 0 || columns == 0 {
        return Ok(());
    }
    let size = |size: usize| c_int::try_from(size).expect("a matrix of more than 2^31 rows");
    let beta = if mode == Mode::Add { 1.0 } else { 0.0 };
    let blas = context.blas();
    context.bind()?;
    // SAFETY: by columns this is the transpose of the result, `rhsᵀ·lhsᵀ`. The last element of each matrix lies
    // inside its run of memory on this device, as was just checked, strides are as wide as rows, the result is
    // borrowed exclusively, so it overlaps no factor, and memory is freed in the stream's order. The two
    // factors are numbers of the host, read before the call returns.
    unsafe {
        sgemm(
            *blas.handle(),
            rhs.operation(),
            lhs.operation(),
            size(columns),
            size(rows),
            size(inner),
            &raw const ONE,
            rhs.data.address() as *const f32,
            size(rhs.stride),
            lhs.data.address() as *const f32,
            size(lhs.stride),
            &raw const beta,
            dst.data.address() as *mut f32,
            size(dst.stride),
        )?;
    }
    Ok(())
}

static ONE: f32 = 1.0;
