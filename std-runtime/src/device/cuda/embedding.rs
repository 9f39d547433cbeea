#![allow(unsafe_code)]

use dfdx::tensor::CudaError;

use super::launch::{LINE, THREADS, kernel_size, launch};
use crate::ops::EmbeddingShape;
use crate::ops::bridge::cuda::{Context, DeviceSlice, DeviceSliceMut};

/// See [`Kernels::embedding_forward`](crate::ops::Kernels::embedding_forward).
pub fn forward(
    context: &Context,
    shape: EmbeddingShape,
    table: DeviceSlice<'_>,
    tokens: DeviceSlice<'_, usize>,
    [fixed, learned]: [Option<DeviceSlice<'_>>; 2],
    x: DeviceSliceMut<'_>,
) -> Result<(), CudaError> {
    let EmbeddingShape { length, width, scale } = shape;
    assert_eq!(x.len(), tokens.len() * width, "sizes of an embedding");
    assert_eq!(table.len() % width.max(1), 0, "sizes of an embedding");
    for rows in [fixed, learned].into_iter().flatten() {
        assert!(rows.len() >= length * width, "sizes of an embedding");
    }
    let address = |rows: Option<DeviceSlice<'_>>| rows.map_or(0, |rows| rows.address());
    // SAFETY: one row of `x` for each token, `length` rows of positions where there are any; tokens lie inside
    // the table, as the caller promises.
    unsafe {
        let (fixed, learned) = (address(fixed), address(learned));
        let (length, width) = (kernel_size(length.max(1)), kernel_size(width));
        let (table, x) = (table.address(), x.address());
        let parameters = (table, tokens.address(), fixed, learned, x, length, width, scale);
        let blocks = [tokens.len(), 1, 1];
        launch(context, ("embedding", "embed_forward"), blocks, [128, 1], parameters)
    }
}

/// See [`Kernels::embedding_backward`](crate::ops::Kernels::embedding_backward).
pub fn backward(
    context: &Context,
    shape: EmbeddingShape,
    dx: DeviceSlice<'_>,
    tokens: DeviceSlice<'_, usize>,
    dtable: DeviceSliceMut<'_>,
) -> Result<(), CudaError> {
    let EmbeddingShape { width, scale, .. } = shape;
    assert_eq!(dx.len(), tokens.len() * width, "sizes of an embedding");
    let rows = tokens.len();
    let blocks = [dtable.len() / width.max(1), width.div_ceil(THREADS), 1];
    // SAFETY: one row of `dx` for each token; each block stays in its row of the table.
    unsafe {
        let (dx, tokens, dtable) = (dx.address(), tokens.address(), dtable.address());
        let parameters = (dx, tokens, dtable, kernel_size(rows), kernel_size(width), scale);
        launch(context, ("embedding", "embed_backward"), blocks, LINE, parameters)
    }
}

/// See [`Kernels::position_table_backward`](crate::ops::Kernels::position_table_backward).
pub fn position_table_backward(
    context: &Context,
    shape: EmbeddingShape,
    dx: DeviceSlice<'_>,
    dlearned: DeviceSliceMut<'_>,
) -> Result<(), CudaError> {
    let count = shape.length * shape.width;
    let sequences = dx.len() / count.max(1);
    assert_eq!(dx.len(), sequences * count, "sizes of an embedding");
    assert!(dlearned.len() >= count, "sizes of an embedding");
    // SAFETY: `dx` is whole sequences of `count` numbers, and so many are written.
    unsafe {
        let parameters = (dx.address(), dlearned.address(), kernel_size(sequences), count);
        let blocks = [count.div_ceil(THREADS), 1, 1];
        launch(context, ("embedding", "position_table_backward"), blocks, LINE, parameters)
    }
}
