//! Perplexity as a function of length.
//!
//! [`evaluate`] and [`evaluate_file`] perform a complete evaluation. Every length is measured on the same text:
//! the beginning of the held-out tokens, cut to whole windows of the longest length `M`. A window consists of
//! `length` tokens and the token that follows the last one. There are two measurements:
//!
//! - *all positions*: the text is split into consecutive windows, so every token is predicted exactly once
//!   at every length, from 0 to `length − 1` preceding tokens;
//! - *last positions*: windows end at every `M`-th token, and only the last `L` tokens of each are scored, where
//!   `L` is the training length. The predicted tokens are the same at every length; only the amount of
//!   preceding text differs.
//!
//! Perplexity is `exp` of the mean negative log-probability in nats, summed in `f64`.

mod error;
mod measure;
mod perplexity;
mod scorer;

pub use error::EvalError;
pub use measure::{EvalOptions, TextPart, evaluate, evaluate_file};
pub use perplexity::{Lengths, Measured, perplexity, row};
pub use scorer::{CoreScorer, DfdxScorer, Scorer};
