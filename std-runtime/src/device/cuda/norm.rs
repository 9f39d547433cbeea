#![allow(unsafe_code)]

use cudarc::driver::CudaSlice;
use dfdx::tensor::CudaError;
use expe_core::Norm;

use super::launch::{LINE, THREADS, WARP, kernel_size, launch, row_shares, warp_grid};
use crate::ops::NormKind;
use crate::ops::bridge::cuda::{Context, DeviceSlice, DeviceSliceMut};

/// Whether the mean is subtracted, as kernels take it.
fn centered(kind: NormKind) -> i32 {
    i32::from(kind.norm == Norm::LayerNorm)
}

fn rows(kind: NormKind, x: DeviceSlice<'_>) -> usize {
    x.len() / kind.width.max(1)
}

/// See [`Kernels::norm_forward`](crate::ops::Kernels::norm_forward).
pub fn forward(
    context: &Context,
    kind: NormKind,
    x: DeviceSlice<'_>,
    gain: DeviceSlice<'_>,
    y: DeviceSliceMut<'_>,
) -> Result<(), CudaError> {
    let rows = rows(kind, x);
    assert_eq!((gain.len(), y.len()), (kind.width, rows * kind.width), "sizes of a norm");
    // SAFETY: `x` and `y` are rows of the gain's width.
    unsafe {
        let (width, epsilon, centered) = (kernel_size(kind.width), kind.epsilon, centered(kind));
        let parameters =
            (x.address(), gain.address(), y.address(), kernel_size(rows), width, epsilon, centered);
        launch(context, ("norm", "norm_forward"), warp_grid(rows), LINE, parameters)
    }
}

/// See [`Kernels::norm_backward`](crate::ops::Kernels::norm_backward).
pub fn backward(
    context: &Context,
    kind: NormKind,
    x: DeviceSlice<'_>,
    gain: DeviceSlice<'_>,
    dy: DeviceSlice<'_>,
    dx: DeviceSliceMut<'_>,
    dgain: DeviceSliceMut<'_>,
) -> Result<(), CudaError> {
    let statistics = rows_backward(context, kind, x, gain, dy, dx)?;
    gain_backward(context, x, dy, &statistics, dgain)
}

/// Adds the gradient of the rows to `dx`; returns mean and inverse root of each row.
fn rows_backward(
    context: &Context,
    kind: NormKind,
    x: DeviceSlice<'_>,
    gain: DeviceSlice<'_>,
    dy: DeviceSlice<'_>,
    dx: DeviceSliceMut<'_>,
) -> Result<CudaSlice<f32>, CudaError> {
    let rows = rows(kind, x);
    let count = rows * kind.width;
    assert_eq!((gain.len(), dy.len(), dx.len()), (kind.width, count, count), "sizes of a norm");
    let statistics = context.scratch(2 * rows)?;
    // SAFETY: `x`, `dy` and `dx` are rows of the gain's width, `statistics` has two numbers for each.
    unsafe {
        let (width, epsilon, centered) = (kernel_size(kind.width), kind.epsilon, centered(kind));
        let [x, gain, dy] = [x, gain, dy].map(|slice| slice.address());
        let parameters =
            (x, gain, dy, dx.address(), &statistics, kernel_size(rows), width, epsilon, centered);
        launch(context, ("norm", "norm_backward"), warp_grid(rows), LINE, parameters)?;
    }
    Ok(statistics)
}

/// Adds the gradient of the gain to `dgain`.
fn gain_backward(
    context: &Context,
    x: DeviceSlice<'_>,
    dy: DeviceSlice<'_>,
    statistics: &CudaSlice<f32>,
    dgain: DeviceSliceMut<'_>,
) -> Result<(), CudaError> {
    let width = dgain.len();
    let rows = x.len() / width.max(1);
    assert_eq!((x.len(), dy.len()), (rows * width, rows * width), "sizes of a norm");
    assert!(DeviceSlice::from(statistics).len() >= 2 * rows, "sizes of a norm");
    let (count, share) = row_shares(rows);
    let sums = context.scratch::<f32>(count * width)?;
    // SAFETY: as in `rows_backward`; `sums` has `width` numbers for each share.
    unsafe {
        let blocks = [width.div_ceil(WARP), count, 1];
        let (rows, share) = (kernel_size(rows), kernel_size(share));
        let parameters =
            (x.address(), dy.address(), statistics, &sums, rows, kernel_size(width), share);
        launch(
            context,
            ("norm", "norm_gain_backward"),
            blocks,
            [WARP, THREADS / WARP],
            parameters,
        )?;
        let blocks = [width.div_ceil(THREADS), 1, 1];
        let parameters = (&sums, dgain.address(), kernel_size(count), kernel_size(width));
        launch(context, ("norm", "add_shares"), blocks, LINE, parameters)
    }
}
