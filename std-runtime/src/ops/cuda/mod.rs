//! Operations on NVIDIA GPUs in `f32`, with factors of products in `f16` on demand, each one pass forward and one back on dfdx's tape: products by cuBLAS,
//! everything else by the kernels of the `.cu` files beside this one.
//!
//! They compute what those of `fused` do on the processor, with the same saved values, and are tested
//! against the composed operations of the same names. Everything is queued on the device's one stream;
//! nothing here waits for it. No kernel adds numbers in an order that depends on scheduling, so a
//! result is the same bits each time on one GPU.
//!
//! A tensor made by dfdx starts as zeros, also where all of it is about to be written, because dfdx has no
//! other way to make one from outside.

mod attention;
mod context;
mod cross_entropy;
mod embedding;
mod feed_forward;
mod kernels;
mod launch;
mod linear;
mod norm;
pub(crate) mod parameters;
mod product;
mod projection;
mod residual;
mod span;

use dfdx::tensor::{Cuda, Gradients};

use super::faster::faster_operations;
use super::profile::{Operation, Pass};

/// The gradients of a backward pass.
type Slopes = Gradients<f32, Cuda>;

/// A part's time on the host would say nothing: it only queues.
fn untimed<R>(_: Operation, _: Pass, work: impl FnOnce() -> R) -> R {
    work()
}

faster_operations!(Cuda, untimed);
