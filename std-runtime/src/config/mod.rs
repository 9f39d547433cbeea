//! The configuration of a training run: what `config.toml` holds.
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
mod file;
mod position_spec;
mod positions;
mod presets;
mod train;

pub use check::RunConfigError;
pub use data::{DataConfig, TokenizerKind};
pub use file::ConfigFileError;
pub use position_spec::{PositionSpec, SpecError, amend};
pub use positions::{UnknownPosition, position};
pub use presets::{PRESETS, UnknownPreset, preset};
pub use train::TrainConfig;

use expe_core::Config;
use serde::{Deserialize, Serialize};

/// Everything that decides what a run does; with the same text, two runs of equal configurations
/// give the same model, bit for bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// How text becomes tokens.
    pub data: DataConfig,
    /// How the model is trained.
    pub train: TrainConfig,
    /// The model.
    pub model: Config,
}

impl RunConfig {
    /// Read a `config.toml`.
    ///
    /// # Errors
    /// [`RunConfigError::Syntax`] for anything that is not such a file, unknown keys included, and
    /// the other kinds for values that do not make sense.
    ///
    /// ```
    /// use expe::config::{RunConfig, preset};
    /// let config = preset("context-64")?;
    /// assert_eq!(RunConfig::from_toml(&config.to_toml()?)?, config);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, RunConfigError> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// Returns the same configuration with another number of steps. Warm-up and the steps between
    /// validations keep their share of the training.
    #[must_use]
    pub fn with_steps(mut self, steps: u64) -> Self {
        let train = &mut self.train;
        let scale = |part: u64| {
            let part = u128::from(part) * u128::from(steps) / u128::from(train.steps.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        (train.warmup, train.validate_every) =
            (scale(train.warmup), scale(train.validate_every).max(1));
        train.steps = steps;
        self
    }

    /// Returns the number of tokens that one training step reads.
    pub const fn tokens_per_step(&self) -> u64 {
        (self.train.batch * self.train.accumulate * self.model.context) as u64
    }

    /// The text of a `config.toml`.
    ///
    /// # Errors
    /// [`RunConfigError::Unwritable`] for a number that TOML cannot hold (an integer above `i64`).
    pub fn to_toml(&self) -> Result<String, RunConfigError> {
        Ok(toml::to_string_pretty(self)?)
    }
}
