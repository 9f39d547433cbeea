//! What the cross-crate tests share.

mod engine;
pub mod golden;
mod weights;

pub use engine::{Aligned, logits};
pub use weights::Weights;
