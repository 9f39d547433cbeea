//! The whole model on a GPU: the same tests as on the processor.

#[path = "../model_fused/cases.rs"]
mod cases;

use super::fast;

/// Numbers of sequences and of positions of each; an emulated device is slow.
const LENGTHS: [(usize, usize); 3] = [(3, 7), (2, 67), (1, 131)];
