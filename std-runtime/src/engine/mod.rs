//! The core engine on a host: model files in memory, generation, logits.
//!
//! The arithmetic is all in `expe-core`, the very code that runs on a microcontroller; here are only
//! the buffers that it asks for.

mod error;
mod file;
mod generate;
mod memory;
mod session;

pub use error::EngineError;
pub use file::ModelFile;
pub use generate::{CacheChoice, Sampling, Window, generate};
pub use session::{Buffers, CacheNumbers, Session, logits};
