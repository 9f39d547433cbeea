//! The whole model on a GPU: the very tests of the processor's.

#[path = "../model_fused/cases.rs"]
mod cases;

use super::fast;

/// Sequences, and positions of each; an emulated device is slow.
const LENGTHS: [(usize, usize); 3] = [(3, 7), (2, 67), (1, 131)];
