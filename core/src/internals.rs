//! The engine's insides, for quantization, training, tests and benchmarks. **Exempt from semantic
//! versioning**: everything here may change in any release.
//!
//! - kernels: [`dot`], [`matvec`], [`rms_norm`], [`softmax`], [`swiglu`] and others on slices of floats;
//!   their integer counterparts in [`integer`]; [`Matrix`] and [`Inputs`];
//! - numbers: [`Random`], the elementary functions ([`Math`]), [`Multiplier`];
//! - the forward pass: [`observe`] shows its numbers to an [`Observe`], each with the name of the tensor
//!   that it meets; [`Arithmetic`] and [`Attend`](crate::Attend) are its steps.

pub use crate::kernels::*;
pub use crate::model::{Arithmetic, CacheRun, HeadPosition, Layer, Layers, Observe, Past, observe};
pub use crate::num::Exponent;
pub use crate::num::exp2::{EXP2_FRACTION_BITS, exp2_minus};
pub use crate::num::math::Math;
pub use crate::num::multiplier::Multiplier;
pub use crate::num::phase::{Frequencies, Turn};
pub use crate::num::prepared::{PreparedMultiplier, RowScales};
pub use crate::num::random::Random;
pub use crate::num::shift::{mul_pow2, saturate};
pub use crate::num::to_fixed::to_fixed;
pub use crate::shape::MAX_DIMENSION;
