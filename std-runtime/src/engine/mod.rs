//! The core engine on a host: model files in memory, generation, logits.
//!
//! The arithmetic is all in `expe-core`, the very code that runs on a microcontroller; here are only
//! the buffers that it asks for.

mod error;
mod file;
mod generate;
mod memory;
mod session;
mod text;

pub use error::EngineError;
pub use file::ModelFile;
pub use generate::{CacheChoice, Sampling, Window, generate};
pub use session::{Buffers, CacheType, Session, UnknownCacheType, logits};
pub use text::{TextDecoder, encode};
