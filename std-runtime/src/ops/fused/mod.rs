//! Operations on the processor in `f32`, each one pass forward and one back on dfdx's tape, with
//! products by the `gemm` crate and element-wise arithmetic in vector instructions.
//!
//! Everything runs on the calling thread: a batch is divided between threads as a whole. Each is
//! tested against the composed operation of the same name, run in `f64`.

mod attention;
mod buffer;
mod cross_entropy;
mod embedding;
mod feed_forward;
mod half_precision;
pub(super) mod linear;
mod norm;
pub(super) mod product;
mod projection;
mod residual;
pub(crate) mod storage;
#[cfg(test)]
mod testing;
pub(crate) mod vector;

use dfdx::tensor::Cpu;

use super::Operations;
use super::faster::faster_operations;
use super::profile::timed;

/// `f64` serves tests: the composed operations are the reference.
impl Operations<f64> for Cpu {}

faster_operations!(Cpu, timed);
