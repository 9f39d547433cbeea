//! From a trained model to integers: calibration on text, rounding, and a report of the error.
//!
//! The scheme is `expe-core`'s (its page on numbers has the formulas): matrices of 8-bit integers with
//! a scale per row, or of 4-bit integers with a factor per group of 32 columns, on activations that the
//! engine quantises token by token. What is decided here is how a weight is rounded:
//!
//! 1. [`Calibration`] runs the model over text and keeps, for the input `x` of every matrix, the
//!    second moments `H = E[x·xᵀ]`, and the range of the residual stream;
//! 2. each row's (each group's) range is cut where that lowers the error `Σ_i H_ii·(w_i − ŵ_i)²`;
//! 3. the weights of a row are rounded one after the other, and the error of each is made good by
//!    those that are still to come, as far as the inputs vary together ([`Compensation`]; GPTQ,
//!    Frantar et al. 2022, arXiv 2210.17323).
//!
//! The embedding and a head that is tied to it are rounded to the nearest 8-bit integer, in every
//! scheme: they are read row by row as well as multiplied with.

mod calibration;
mod compensation;
mod quantised;
mod round;

pub use calibration::{Calibration, Moments};
pub use compensation::Compensation;
pub use quantised::{MatrixError, Quantised, quantise};
