//! How kernels are queued.
#![allow(unsafe_code)]

use cudarc::driver::{CudaFunction, LaunchAsync, LaunchConfig};
use dfdx::tensor::CudaError;

use super::context::Context;

/// Threads of a block.
pub const THREADS: usize = 256;
/// Threads of a warp.
pub const WARP: usize = 32;
/// Blocks that take turns with a long list.
const BLOCKS: usize = 2048;
/// Parts that sums over rows are cut into.
const PARTS: usize = 64;

/// A size as kernels take it.
///
/// # Panics
/// If it is 2^31 or more.
pub fn int(size: usize) -> i32 {
    i32::try_from(size).expect("a size of more than 2^31")
}

fn unsigned(size: usize) -> u32 {
    u32::try_from(size).expect("a size of more than 2^32")
}

/// Queue a kernel of blocks of `threads`; nothing where there are no blocks.
///
/// # Safety
/// The kernel takes `parameters` as they are, and reads and writes inside of what they point to, which is
/// memory of the context's device that lives now and that nobody else writes to.
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
    // SAFETY: what the caller promises.
    unsafe { function.launch(config, parameters) }?;
    Ok(())
}

/// Blocks for one thread an item, at most [`BLOCKS`]: kernels go on with what is left.
pub fn some(count: usize) -> [usize; 3] {
    [count.div_ceil(THREADS).min(BLOCKS), 1, 1]
}

/// Blocks for one warp an item.
pub fn warps(count: usize) -> [usize; 3] {
    [count.div_ceil(THREADS / WARP), 1, 1]
}

/// Blocks of [`THREADS`] in a line.
pub const LINE: [usize; 2] = [THREADS, 1];

/// Blocks of 32 columns times 8 rows, and rows of each of at most [`PARTS`] parts.
pub fn parts(rows: usize) -> (usize, usize) {
    let share = rows.div_ceil(PARTS).next_multiple_of(THREADS / WARP).max(1);
    (rows.div_ceil(share), share)
}
