//! The configuration of a training run: the content of `config.toml`.
//!
//! ```toml
//! [data]
//! tokenizer = "byte"
//!
//! [train]
//! seed = 0
//! steps = 1000
//! batch = 16
//! learning_rate = 2e-3
//!
//! [model]
//! vocab = 256
//! width = 128
//! # …
//! [model.position]
//! name = "expe"
//! start = 16.0
//! step = 0.0625
//! width = 8
//! ```

mod check;
mod data;
mod error;
mod file;
mod position_spec;
mod positions;
mod precision;
mod presets;
mod run;
mod train;

pub use data::{DataConfig, TokenizerKind};
pub use error::RunConfigError;
pub use file::ConfigFileError;
pub use position_spec::{PositionSpec, SpecError, amend};
pub use positions::{UnknownPosition, position};
pub use precision::Precision;
pub use presets::{PRESETS, UnknownPreset, preset};
pub use run::RunConfig;
pub use train::TrainConfig;
