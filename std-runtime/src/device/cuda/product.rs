//! Matrix products on the device, through cuBLAS.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

use cudarc::cublas::result::gemm_ex;
use cudarc::cublas::sys::cublasComputeType_t as Compute;
use cudarc::cublas::sys::cublasGemmAlgo_t as Algorithm;
use cudarc::cublas::sys::cublasOperation_t as Operation;
use cudarc::cublas::sys::cudaDataType_t as Type;
use dfdx::tensor::{Cuda, CudaError};

use crate::ops::bridge::cuda::{Context, DeviceSliceMut};
use crate::ops::view::{Mode, Operand, View, ViewMut};

/// Returns the address and type of a factor's numbers.
///
/// # Panics
/// If the matrix does not fit into its slice.
fn factor(view: &View<Operand<'_, Cuda>>) -> (u64, Type) {
    let (len, address, kind) = match &view.data {
        Operand::Single(slice) => (slice.len(), slice.address(), Type::CUDA_R_32F),
        Operand::Half(slice) => (slice.len(), slice.address(), Type::CUDA_R_16F),
    };
    assert!(inside(len, view.rows, view.cols, view.stride), "factor beyond its slice");
    (address, kind)
}

/// Returns what cuBLAS, whose matrices are column-major and which therefore sees the transpose, does to a factor.
fn operation(view: &View<Operand<'_, Cuda>>) -> Operation {
    if view.transposed { Operation::CUBLAS_OP_T } else { Operation::CUBLAS_OP_N }
}

/// Returns whether a matrix of rows that do not overlap lies inside `count` elements.
fn inside(count: usize, rows: usize, cols: usize, stride: usize) -> bool {
    rows == 0 || (cols <= stride && (rows - 1) * stride + cols <= count)
}

/// See [`Kernels::multiply`](crate::ops::Kernels::multiply).
///
/// # Errors
/// cuBLAS's.
///
/// # Panics
/// If the sizes do not fit together or a matrix does not fit into its slice.
pub fn multiply(
    context: &Context,
    to: ViewMut<DeviceSliceMut<'_>>,
    mode: Mode,
    lhs: View<Operand<'_, Cuda>>,
    rhs: View<Operand<'_, Cuda>>,
) -> Result<(), CudaError> {
    let ((rows, inner), (depth, cols)) = (lhs.size(), rhs.size());
    assert_eq!((rows, inner, cols), (to.rows, depth, to.cols), "sizes of a product");
    assert!(inside(to.data.len(), rows, cols, to.stride), "result beyond its slice");
    let (lhs_address, lhs_type) = factor(&lhs);
    let (rhs_address, rhs_type) = factor(&rhs);
    assert_eq!(lhs_type, rhs_type, "types of the factors of a product");
    if rows == 0 || cols == 0 {
        return Ok(());
    }
    let size = |size: usize| c_int::try_from(size).expect("a matrix of more than 2^31 rows");
    let beta: f32 = if mode == Mode::Add { 1.0 } else { 0.0 };
    let blas = context.blas();
    context.bind()?;
    // SAFETY: in column-major order this is the transpose of the result, `rhsᵀ·lhsᵀ`. The last element of each
    // matrix lies inside its slice on this device, as was just checked, strides are at least as wide as rows, the
    // result is borrowed exclusively, so it overlaps no factor, and memory is freed in the stream's order. The
    // two scalars are the host's and are read before the call returns.
    unsafe {
        gemm_ex(
            *blas.handle(),
            operation(&rhs),
            operation(&lhs),
            size(cols),
            size(rows),
            size(inner),
            (&raw const ONE).cast(),
            rhs_address as *const c_void,
            rhs_type,
            size(rhs.stride),
            lhs_address as *const c_void,
            lhs_type,
            size(lhs.stride),
            (&raw const beta).cast(),
            to.data.address() as *mut c_void,
            Type::CUDA_R_32F,
            size(to.stride),
            Compute::CUBLAS_COMPUTE_32F,
            Algorithm::CUBLAS_GEMM_DEFAULT,
        )?;
    }
    Ok(())
}

static ONE: f32 = 1.0;
