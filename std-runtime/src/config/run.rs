use expe_core::Config;
use serde::{Deserialize, Serialize};

use super::{DataConfig, RunConfigError, TrainConfig};

/// Everything that determines a training run. Two runs with equal configurations on the same text produce
/// the same model, bit for bit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// How text is converted to tokens.
    pub data: DataConfig,
    /// How the model is trained.
    pub train: TrainConfig,
    /// The model.
    pub model: Config,
}

impl RunConfig {
    /// Parses and checks the text of a `config.toml`.
    ///
    /// # Errors
    /// [`RunConfigError::Syntax`] for text that is not a configuration, including unknown keys; the other
    /// variants for values that are not valid.
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

    /// Returns the same configuration with another number of steps. The warm-up and the interval between
    /// validations are scaled in proportion.
    #[must_use]
    pub fn with_steps(mut self, steps: u64) -> Self {
        let train = &mut self.train;
        let scale = |count: u64| {
            let scaled = u128::from(count) * u128::from(steps) / u128::from(train.steps.max(1));
            u64::try_from(scaled).unwrap_or(u64::MAX)
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

    /// Formats the configuration as the text of a `config.toml`.
    ///
    /// # Errors
    /// [`RunConfigError::Unwritable`] for an integer above `i64::MAX`, which TOML cannot represent.
    pub fn to_toml(&self) -> Result<String, RunConfigError> {
        Ok(toml::to_string_pretty(self)?)
    }
}
