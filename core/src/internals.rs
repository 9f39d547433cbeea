//! The engine's insides, for quantization, training, tests and benchmarks. **Exempt from semantic
//! versioning**: everything here may change in any release.
//!
//! - kernels: [`dot`], [`matvec`], [`rms_norm`], [`softmax`], [`swiglu`] and others on slices of floats;
//!   their integer counterparts in [`integer`]; [`Matrix`] and [`Inputs`];
//! - numbers: [`Random`], the elementary functions ([`Math`]), [`Multiplier`];
//! - model files: [`Writer`] and what describes tensors ([`TensorKind`], [`DType`], [`layout`]); [`Bpe`] tables;
//! - position encodings: where one acts ([`Sites`]), and the exact [`Grid`] of ExQPE;
//! - the forward pass: [`observe`] shows its numbers to an [`Observe`], each with the name of the tensor
//!   that it meets; [`Arithmetic`] and [`Attend`](crate::Attend) are its steps.

pub use crate::format::constants::{ALIGNMENT, MAGIC, OLDEST_VERSION, VERSION};
pub use crate::format::error::WriteError;
pub use crate::format::execution::Execution;
pub use crate::format::tensors::StoredTensor;
pub use crate::format::writer::{QuantizedRow, Storage, WeightSource, Writer};
pub use crate::kernels::*;
pub use crate::model::{Arithmetic, CacheRun, HeadPosition, Layer, Layers, Observe, Past, observe};
pub use crate::num::Exponent;
pub use crate::num::element::Format;
pub use crate::num::exp2::{EXP2_FRACTION_BITS, exp2_minus};
pub use crate::num::math::Math;
pub use crate::num::multiplier::Multiplier;
pub use crate::num::phase::{Frequencies, Turn};
pub use crate::num::prepared::{PreparedMultiplier, RowScales};
pub use crate::num::random::Random;
pub use crate::num::shift::{mul_pow2, saturate};
pub use crate::num::to_fixed::to_fixed;
pub use crate::position::encodings::SUPPORTED;
pub use crate::position::grid::Grid;
pub use crate::position::sites::{EmbeddingSite, Sites};
pub use crate::shape::{DType, MAX_DIMENSION, TensorKind, TensorShape, layout};
pub use crate::token::bpe::{Bpe, pieces};
pub use crate::token::error::MergeError;
pub use crate::token::limits::MAX_TOKEN_BYTES;
