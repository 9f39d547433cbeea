//! Matrix products on the device, through cuBLAS.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

use cudarc::cublas::result::gemm_ex;
use cudarc::cublas::sys::cublasComputeType_t as Compute;
use cudarc::cublas::sys::cublasGemmAlgo_t as Algorithm;
use cudarc::cublas::sys::cublasOperation_t as Operation;
use cudarc::cublas::sys::cudaDataType_t as Kind;
use dfdx::tensor::CudaError;

use super::context::Context;
use super::linear::Factor;
use super::span::{Span, SpanMut};
use crate::ops::fused::product::Mode;

/// The numbers of a factor: `f32`, or `f16` as their bits.
#[derive(Debug, Clone, Copy)]
pub enum Numbers<'a> {
    /// `f32`.
    Single(Span<'a>),
    /// `f16`.
    Half(Span<'a, u16>),
}

impl<'a> Numbers<'a> {
    /// What lies behind the first `count` numbers.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn after(self, count: usize) -> Self {
        match self {
            Self::Single(span) => Self::Single(span.after(count)),
            Self::Half(span) => Self::Half(span.after(count)),
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Single(span) => span.count(),
            Self::Half(span) => span.count(),
        }
    }

    fn address(&self) -> u64 {
        match self {
            Self::Single(span) => span.address(),
            Self::Half(span) => span.address(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Single(_) => Kind::CUDA_R_32F,
            Self::Half(_) => Kind::CUDA_R_16F,
        }
    }
}

impl<'a> From<&'a Factor<'_>> for Numbers<'a> {
    fn from(factor: &'a Factor<'_>) -> Self {
        factor.after(0)
    }
}

/// A matrix on the device, to be read.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    data: Numbers<'a>,
    rows: usize,
    columns: usize,
    stride: usize,
    transposed: bool,
}

impl<'a> View<'a> {
    /// `rows` rows of `columns` elements that begin `stride` apart.
    pub fn new(data: Numbers<'a>, rows: usize, columns: usize, stride: usize) -> Self {
        Self { data, rows, columns, stride, transposed: false }
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
    pub fn new(data: SpanMut<'a>, rows: usize, columns: usize, stride: usize) -> Self {
        Self { data, rows, columns, stride }
    }
}

/// Whether a matrix lies inside of `count` elements, its rows beside each other.
fn inside(count: usize, rows: usize, columns: usize, stride: usize) -> bool {
    rows == 0 || (columns <= stride && (rows - 1) * stride + columns <= count)
}

/// `dst = lhs·rhs`, or `dst += lhs·rhs`, with sums in `f32`.
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
    let beta: f32 = if mode == Mode::Add { 1.0 } else { 0.0 };
    let blas = context.blas();
    context.bind()?;
    let kind = lhs.data.kind();
    assert_eq!(kind, rhs.data.kind(), "factors of a product");
    // SAFETY: by columns this is the transpose of the result, `rhsᵀ·lhsᵀ`. The last element of each matrix lies
    // inside its run of memory on this device, as was just checked, strides are as wide as rows, the result is
    // borrowed exclusively, so it overlaps no factor, and memory is freed in the stream's order. The two
    // numbers in front of the matrices are the host's, read before the call returns.
    unsafe {
        gemm_ex(
            *blas.handle(),
            rhs.operation(),
            lhs.operation(),
            size(columns),
            size(rows),
            size(inner),
            (&raw const ONE).cast(),
            rhs.data.address() as *const c_void,
            kind,
            size(rhs.stride),
            lhs.data.address() as *const c_void,
            kind,
            size(lhs.stride),
            (&raw const beta).cast(),
            dst.data.address() as *mut c_void,
            Kind::CUDA_R_32F,
            size(dst.stride),
            Compute::CUBLAS_COMPUTE_32F,
            Algorithm::CUBLAS_GEMM_DEFAULT,
        )?;
    }
    Ok(())
}

static ONE: f32 = 1.0;
