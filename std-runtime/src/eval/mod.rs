//! Perplexity against length.
//!
//! The text is cut into *blocks* of the longest length asked for, and every length scores the same
//! blocks. For length `T`, windows of `T` tokens are laid end to end up to the end of each block,
//! and a token is predicted from what stands before it in its window. That gives two figures:
//!
//! - *all*: over every position of every window. Each token of a block is scored once at every
//!   length (where `T` does not divide the block, its first tokens are left out);
//! - *last*: over the last `context` tokens of each block only, which stand at the end of the
//!   block's last window. These are the same tokens at every length: only the context in front of
//!   them grows, from their own beginning to the whole block.
//!
//! ```text
//! block         |···············································|   16·L tokens
//! windows of  L |··|··|··|··|··|··|··|··|··|··|··|··|··|··|··|##|
//! windows of 4L |···········|···········|···········|·········##|   # = the last L tokens
//! ```

mod perplexity;
mod scorer;

pub use perplexity::{EvalError, EvalOptions, Figures, LengthRow, perplexity};
pub use scorer::{ModelScorer, ScoreError, Scorer};
