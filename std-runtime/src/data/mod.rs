//! Conversion of text to tokens: files, generated stories, held-out split, tokenizers and windows.
//!
//! ```text
//! text sources → Source → Corpus (Documents, split) ─┬→ Tokenizer ─→ Dataset → windows
//!                                                        └──────────────────┘
//! ```

mod corpus;
mod dataset;
mod default_sources;
mod document;
mod error;
mod source;
mod split;
pub mod stories;
pub mod tokenizer;
mod windows;

pub use corpus::{Corpus, Skipped};
pub use dataset::Dataset;
pub use default_sources::default_sources;
pub use document::Document;
pub use error::DataError;
pub use source::{MAX_STORIES_BYTES, Source};
pub use split::{Part, Split};
pub use tokenizer::{MAX_VOCAB_SIZE, Tokenizer};
pub use windows::{TrainWindows, consecutive_windows, windows_with_common_ends};
