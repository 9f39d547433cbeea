//! Perplexity against length.
//!
//! Every length is measured on the same text: the first tokens of the held-out stream, as many as
//! fill whole windows of the longest length `M`. With windows of `length` tokens (and the token
//! after the last one),
//!
//! - *all positions*: the text is cut into consecutive windows, so every token is predicted once at
//!   every length, with 0 to `length − 1` tokens in front of it;
//! - *last positions*: windows end at every `M`-th token, and only the last `L` tokens of each are
//!   counted, `L` being the training length. The tokens that are predicted are the same at every
//!   length, and all that changes is how much text stands in front of them.
//!
//! Perplexity is `exp` of the mean negative log-probability, summed in `f64`.

mod error;
mod perplexity;
mod scorer;

pub use error::EvalError;
pub use perplexity::{Lengths, Measured, perplexity, row};
pub use scorer::{CoreScorer, DfdxScorer, Scorer};
