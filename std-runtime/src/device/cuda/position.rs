//! Positions inside attention on the device: the folded columns of ExPE and ExQPE, and rotations of heads.
#![allow(unsafe_code)]

use cudarc::driver::CudaSlice;
use dfdx::tensor::{Cuda, CudaError};
use expe_core::position::OverrideBlock;

use super::attention::{Folded, Shape, Terms, factors, qkv_len};
use super::launch::{LINE, THREADS, WARP, kernel_size, launch, row_shares, warp_grid};
use crate::ops::bridge::cuda::{Context, DeviceSlice, DeviceSliceMut};
use crate::ops::{Layout, Positions, Side, Turn};

/// Sums up the columns of a weight matrix of `outputs` rows that hold each digit: `(digits, outputs)`.
fn fold(
    context: &Context,
    weight: DeviceSlice<'_>,
    columns: &OverrideBlock,
    outputs: usize,
) -> Result<CudaSlice<f32>, CudaError> {
    let width = weight.len() / outputs.max(1);
    assert!(columns.width <= width && weight.len() == outputs * width, "sizes of columns");
    let folded = context.scratch(columns.digits * outputs)?;
    // SAFETY: the columns of all digits lie in a row; one number is written for each digit and row.
    unsafe {
        let (digits, run) = (kernel_size(columns.digits), kernel_size(columns.run_width()));
        let sizes = (kernel_size(outputs), kernel_size(width));
        let parameters = (weight.address(), &folded, sizes.0, sizes.1, digits, run);
        let blocks = warp_grid(outputs);
        launch(context, ("position", "fold"), blocks, LINE, parameters)?;
    }
    Ok(folded)
}

/// See [`Kernels::position_terms`](crate::ops::Kernels::position_terms).
pub fn terms(
    context: &Context,
    layout: &Layout,
    positions: Option<Positions<'_, Cuda>>,
    [wq, wk]: [DeviceSlice<'_>; 2],
    slopes: &[f32],
    qkv: DeviceSliceMut<'_>,
) -> Result<Terms, CudaError> {
    match positions {
        Some(positions) => {
            let query_columns = fold(context, wq, &positions.columns, layout.queries())?;
            let key_columns = fold(context, wk, &positions.columns, layout.keys())?;
            let values = positions.queries;
            let folded = place_queries(context, layout, qkv, values, &query_columns, key_columns)?;
            Ok(Terms::Folded(folded))
        }
        None if slopes.is_empty() => Ok(Terms::None),
        None => Ok(Terms::Slopes(context.upload(slopes.to_vec())?)),
    }
}

/// Adds positions to the queries: `values`, `(length, digits)`, times folded columns.
fn place_queries(
    context: &Context,
    layout: &Layout,
    qkv: DeviceSliceMut<'_>,
    values: DeviceSlice<'_>,
    query_columns: &CudaSlice<f32>,
    key_columns: CudaSlice<f32>,
) -> Result<Folded, CudaError> {
    let digits = layout.digits;
    let fit = qkv.len() >= qkv_len(layout)
        && values.len() >= layout.heads.length * digits
        && DeviceSlice::from(query_columns).len() >= digits * layout.queries()
        && DeviceSlice::from(&key_columns).len() >= digits * layout.keys();
    assert!(fit, "sizes of positions");
    let factors = context.scratch(factors(layout))?;
    // SAFETY: all buffers have the sizes that `layout` gives, as asserted above.
    unsafe {
        let (qkv, values, shape) = (qkv.address(), values.address(), Shape::from(layout));
        let parameters = (qkv, values, query_columns, &key_columns, &factors, shape);
        let blocks = warp_grid(layout.rows() * layout.heads.heads());
        launch(context, ("position", "place_queries"), blocks, LINE, parameters)?;
    }
    Ok(Folded { key_columns, factors })
}

/// The gradients of the folded columns `u_j` and `w_j`, in shares of the rows.
#[derive(Debug)]
pub struct FoldedGradients {
    shares: CudaSlice<f32>,
    count: usize,
}

/// See [`Kernels::positions_backward`](crate::ops::Kernels::positions_backward).
pub fn backward(
    context: &Context,
    layout: &Layout,
    values: DeviceSlice<'_>,
    folded: &Folded,
    dfactors: &CudaSlice<f32>,
    qkv: DeviceSlice<'_>,
    dqkv: DeviceSliceMut<'_>,
) -> Result<FoldedGradients, CudaError> {
    let digits = layout.digits;
    let fit = qkv.len() >= qkv_len(layout)
        && dqkv.len() >= qkv_len(layout)
        && DeviceSlice::from(dfactors).len() >= factors(layout)
        && values.len() >= layout.heads.length * digits
        && DeviceSlice::from(&folded.key_columns).len() >= digits * layout.keys();
    assert!(fit, "sizes of positions");
    let (count, rows) = row_shares(layout.rows());
    let shares = context.scratch(count * 2 * digits * layout.queries())?;
    let shape = Shape::from(layout);
    // SAFETY: all buffers have the sizes that `layout` gives, as asserted above; `shares` holds one element per share,
    // side (queries or keys), digit, and column.
    unsafe {
        let dqkv = dqkv.address();
        let blocks = warp_grid(layout.rows() * layout.heads.heads());
        let parameters = (dqkv, &folded.key_columns, dfactors, shape);
        launch(context, ("position", "place_queries_backward"), blocks, LINE, parameters)?;
        let blocks = [layout.queries().div_ceil(WARP), count, digits];
        let (qkv, values, rows) = (qkv.address(), values.address(), kernel_size(rows));
        let parameters = (qkv, dqkv, values, dfactors, &shares, rows, shape);
        let threads = [WARP, THREADS / WARP];
        launch(context, ("position", "folded_backward"), blocks, threads, parameters)?;
    }
    Ok(FoldedGradients { shares, count })
}

/// See [`Kernels::unfold`](crate::ops::Kernels::unfold).
pub fn unfold(
    context: &Context,
    layout: &Layout,
    columns: &OverrideBlock,
    gradients: &FoldedGradients,
    side: Side,
    dweight: DeviceSliceMut<'_>,
    width: usize,
) -> Result<(), CudaError> {
    let outputs = if side == Side::Queries { layout.queries() } else { layout.keys() };
    assert!(columns.width <= width && columns.digits == layout.digits, "sizes of columns");
    assert_eq!(dweight.len(), outputs * width, "sizes of columns");
    // SAFETY: the shares are those of this layout, the columns of all digits lie in a row of the weights.
    unsafe {
        let (kind, count) = (i32::from(side == Side::Keys), kernel_size(gradients.count));
        let blocks = warp_grid(outputs * layout.digits);
        let (outputs, width) = (kernel_size(outputs), kernel_size(width));
        let (dweight, run) = (dweight.address(), kernel_size(columns.run_width()));
        let shape = Shape::from(layout);
        let parameters = (&gradients.shares, dweight, kind, count, outputs, width, run, shape);
        launch(context, ("position", "unfold"), blocks, LINE, parameters)
    }
}

/// See [`Kernels::rotate`](crate::ops::Kernels::rotate).
pub fn rotate(
    context: &Context,
    layout: &Layout,
    qkv: DeviceSliceMut<'_>,
    cos: DeviceSlice<'_>,
    sin: DeviceSlice<'_>,
    turn: Turn,
) -> Result<(), CudaError> {
    let width = layout.heads.head_width;
    let count = layout.heads.length * width;
    let fit = qkv.len() >= qkv_len(layout) && cos.len() >= count && sin.len() >= count;
    assert!(fit && width.is_multiple_of(2), "sizes of rotations");
    // SAFETY: all buffers have the sizes that `layout` gives, as asserted above, and halves of heads do not overlap.
    unsafe {
        let (rotated, back) = (kernel_size(layout.values() / width), turn == Turn::Back);
        let (qkv, cos, sin) = (qkv.address(), cos.address(), sin.address());
        let parameters = (qkv, cos, sin, rotated, i32::from(back), Shape::from(layout));
        launch(context, ("position", "rotate"), [layout.rows(), 1, 1], LINE, parameters)
    }
}
