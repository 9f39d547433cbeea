//! What quantization, training and benchmarks need of the engine's insides. **Exempt from semantic
//! versioning**: anything here may change in any release.

pub use crate::kernels::*;
pub use crate::model::{Arithmetic, CacheRun, HeadPosition, Layer, Layers, Observe, Past, observe};
pub use crate::num::{
    EXP2_FRACTION_BITS, Frequencies, Math, Multiplier, PreparedMultiplier, Random, RowScales, Turn,
    exp2_minus, mul_pow2, saturate, to_fixed,
};
pub use crate::shape::MAX_DIMENSION;
