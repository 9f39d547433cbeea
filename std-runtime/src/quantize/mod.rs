//! Post-training quantization: calibration on text, rounding to integers, and a report of the error.
//!
//! The number formats are defined in `expe-core`, whose page on numbers has the formulas: matrices are 8-bit
//! integers with a scale per row, or 4-bit integers with a factor per group of 32 columns. The engine quantizes
//! the activations of each token. This module decides how each weight is rounded:
//!
//! 1. [`Calibration`] runs the model on text and records the second moments `H = E[x·xᵀ]` of the input `x` of
//!    every matrix, and the range of the residual stream.
//! 2. The range of each row (or group) is clipped if that lowers the error `Σ_i H_ii·(w_i − ŵ_i)²`.
//! 3. The weights of a row are rounded in order. After each, the remaining weights are adjusted to compensate for
//!    its error, to the extent that their inputs are correlated ([`Compensation`]; GPTQ, Frantar et al. 2022,
//!    arXiv 2210.17323).
//!
//! The embedding and the head are rounded to the nearest 8-bit integer in every scheme, without compensation,
//! because the rows of the embedding are also read one at a time.

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
