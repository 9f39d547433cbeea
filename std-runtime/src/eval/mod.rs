//! Perplexity as a function of length.
//!
//! [`evaluate`] and [`evaluate_file`] do the whole job. Every length is measured on the same text: the
//! first tokens of the held-out stream that fill whole windows of the longest length `M`. With windows of
//! `length` tokens, plus the token that follows the last one,
//!
//! - *all positions*: the text is split into consecutive windows, so every token is predicted exactly once
//!   at every length, from 0 to `length − 1` preceding tokens;
//! - *last positions*: windows end at every `M`-th token, and only the last `L` tokens of each count, where
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
