//! The core engine on a host: model files in memory, text generation, logits.
//!
//! Models run in `expe-core`, the same code that runs on a microcontroller. This module reads the files and
//! allocates the buffers.

mod describe;
mod error;
mod file;
mod generate;
mod memory;
mod session;
mod text;

pub use describe::{Description, MemoryNeed, TensorDescription, describe};
pub use error::EngineError;
pub use file::ModelFile;
pub use generate::{CacheChoice, Sampling, Window, generate};
pub use session::{Buffers, CacheType, Session, UnknownCacheType, logits};
pub use text::{TextDecoder, encode};
