//! The shape of a model: its configuration, the tensors that follow from it, and the memory it needs.

mod config;
mod directory;
mod dtype;
mod memory;
mod tensor;

pub use config::{Activation, Config, ConfigError, MAX_DIMENSION, Norm};
pub use directory::{TensorShape, layout};
pub use dtype::DType;
pub(crate) use memory::{WORD, half_len};
pub use tensor::{TensorId, TensorKind};
