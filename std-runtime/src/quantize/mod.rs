//! Post-training quantization: calibration on text, rounding to integers, and a report of the error.
//!
//! The number formats are those of `expe-core`, whose page on numbers has the formulas: matrices of 8-bit
//! integers with a scale per row, or of 4-bit integers with a factor per group of 32 columns, multiplied
//! with activations that the engine quantizes token by token. This module decides how each weight is
//! rounded:
//!
//! 1. [`Calibration`] runs the model over text and records the second moments `H = E[x·xᵀ]` of the input
//!    `x` of every matrix, and the range of the residual stream;
//! 2. the range of each row (of each group) is clipped where that lowers the error `Σ_i H_ii·(w_i − ŵ_i)²`;
//! 3. the weights of a row are rounded one after the other, and the weights not yet rounded compensate for
//!    the error of each, as far as their inputs are correlated ([`Compensation`]; GPTQ, Frantar et al.
//!    2022, arXiv 2210.17323).
//!
//! The embedding, and a head that is tied to it, are rounded to the nearest 8-bit integer in every scheme,
//! because their rows are also read one at a time.

mod calibration;
mod compensation;
mod error;
mod quantized;
mod round;
mod text;

pub use calibration::{Calibration, Moments};
pub use compensation::Compensation;
pub use error::QuantizeError;
pub use quantized::{MatrixError, Quantized, quantize};
pub use text::{CalibrationText, calibration_windows};
