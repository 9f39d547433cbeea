//! Queues kernels.
#![allow(unsafe_code)]

use cudarc::driver::{CudaFunction, LaunchAsync, LaunchConfig};
use dfdx::tensor::CudaError;

use crate::ops::bridge::cuda::Context;

/// Threads of a block.
pub const THREADS: usize = 256;
/// Threads of a warp.
pub const WARP: usize = 32;
/// The most blocks that work on one list; each continues with what is left.
const BLOCKS: usize = 2048;
/// The most shares that sums over rows are cut into.
const SHARES: usize = 64;

/// Converts a size to the integer that kernels take.
///
/// # Panics
/// If it is 2^31 or more.
pub fn kernel_size(size: usize) -> i32 {
    i32::try_from(size).expect("a size of more than 2^31")
}

fn unsigned(size: usize) -> u32 {
    u32::try_from(size).expect("a size of more than 2^32")
}

/// Queues a kernel with blocks of `threads`; does nothing if there are no blocks.
///
/// # Safety
/// The kernel must take `parameters` as they are and access only what they point to: memory of the context's
/// device that is allocated now and that nobody else writes to.
pub unsafe fn launch<P>(
    context: &Context,
    (module, name): (&'static str, &'static str),
    blocks: [usize; 3],
    threads: [usize; 2],
    parameters: P,
) -> Result<(), CudaError>
where
    CudaFunction: LaunchAsync<P>,
{
    if blocks.contains(&0) {
        return Ok(());
    }
    let [x, y, z] = blocks.map(unsigned);
    let [width, height] = threads.map(unsigned);
    let config =
        LaunchConfig { grid_dim: (x, y, z), block_dim: (width, height, 1), shared_mem_bytes: 0 };
    let function = context.function(module, name)?;
    // SAFETY: the caller's promise.
    unsafe { function.launch(config, parameters) }?;
    Ok(())
}

/// Returns a grid with a thread for each item, limited to [`BLOCKS`] blocks.
pub fn grid(count: usize) -> [usize; 3] {
    [count.div_ceil(THREADS).min(BLOCKS), 1, 1]
}

/// Returns a grid with a warp for each item.
pub fn warp_grid(count: usize) -> [usize; 3] {
    [count.div_ceil(THREADS / WARP), 1, 1]
}

/// The shape of a block of [`THREADS`] in a line.
pub const LINE: [usize; 2] = [THREADS, 1];

/// Cuts rows into at most [`SHARES`] shares for blocks of 32 columns times 8 rows; returns their number and the
/// rows of each.
pub fn row_shares(rows: usize) -> (usize, usize) {
    let share = rows.div_ceil(SHARES).next_multiple_of(THREADS / WARP).max(1);
    (rows.div_ceil(share), share)
}
