use expe_core::ConfigError;
use expe_core::position::{ModelDims, Position, PositionError};

use super::{RunConfig, TokenizerKind, TrainConfig};

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunConfigError {
    /// The text is not a configuration: bad TOML, an unknown or a missing key, a wrong type.
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    /// A value cannot be written as TOML.
    #[error("the configuration cannot be written: {0}")]
    Unwritable(#[from] toml::ser::Error),
    /// The model's sizes do not fit together.
    #[error("[model] {0}")]
    Model(#[from] ConfigError),
    /// The position encoding cannot be built.
    #[error("[model.position] {0}")]
    Position(#[from] PositionError),
    /// A number is outside its range.
    #[error("[train] `{field}` is {value}; it must lie in {range}")]
    Range {
        /// Key of the number.
        field: &'static str,
        /// Its value.
        value: f64,
        /// Where it may lie.
        range: &'static str,
    },
    /// The warm-up is longer than the training.
    #[error("[train] `warmup` is {warmup}, but there are only {steps} steps")]
    Warmup {
        /// Steps of warm-up.
        warmup: u64,
        /// Steps in all.
        steps: u64,
    },
    /// The final learning rate is above the highest.
    #[error("[train] `final_learning_rate` {end} is above `learning_rate` {peak}")]
    Rates {
        /// Learning rate of the last step.
        end: f64,
        /// Highest learning rate.
        peak: f64,
    },
    /// The vocabulary is too small for byte-level tokens.
    #[error("[model] `vocab` is {vocab}; a {kind} tokenizer needs {needed}")]
    Vocabulary {
        /// Tokens of the model.
        vocab: usize,
        /// Kind of tokenizer.
        kind: &'static str,
        /// What it needs.
        needed: &'static str,
    },
    /// The encoding does not reach the training length.
    #[error(
        "[model.position] tells {length} positions apart, fewer than the context of {context}; \
         use a larger step or a shorter context"
    )]
    Short {
        /// Positions that the encoding tells apart.
        length: u32,
        /// Training length.
        context: usize,
    },
}

impl RunConfig {
    /// Check every value.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self) -> Result<(), RunConfigError> {
        self.model.check()?;
        self.check_position()?;
        let vocab = self.model.vocab;
        match self.data.tokenizer {
            TokenizerKind::Byte if vocab != 256 => {
                Err(RunConfigError::Vocabulary { vocab, kind: "byte", needed: "exactly 256" })
            }
            TokenizerKind::Bpe if vocab < 256 => {
                Err(RunConfigError::Vocabulary { vocab, kind: "bpe", needed: "at least 256" })
            }
            _ => self.train.check(),
        }
    }

    fn check_position(&self) -> Result<(), RunConfigError> {
        use expe_core::position::PositionEncoding;
        let model = &self.model;
        if model.position.needs_table() {
            return Ok(());
        }
        let shape =
            ModelDims { width: model.width, heads: model.heads, head_width: model.head_width };
        let length = Position::new(&model.position, shape, &[])?.length();
        if (length as usize) < model.context {
            return Err(RunConfigError::Short { length, context: model.context });
        }
        Ok(())
    }
}

impl TrainConfig {
    /// Check every value.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self) -> Result<(), RunConfigError> {
        let positive = f64::MIN_POSITIVE..=f64::MAX;
        let limits = [
            ("steps", self.steps as f64, 1.0..=1e12, "1..=1e12"),
            ("batch", self.batch as f64, 1.0..=1e6, "1..=1e6"),
            ("accumulate", self.accumulate as f64, 1.0..=1e6, "1..=1e6"),
            ("seed", self.seed as f64, 0.0..=9.2e18, "0..2^63"),
            ("learning_rate", self.learning_rate, positive.clone(), "numbers above 0"),
            ("final_learning_rate", self.final_learning_rate, 0.0..=f64::MAX, "numbers from 0"),
            ("weight_decay", self.weight_decay, 0.0..=f64::MAX, "numbers from 0"),
            ("beta1", self.beta1, 0.0..=1.0 - 1e-9, "[0, 1)"),
            ("beta2", self.beta2, 0.0..=1.0 - 1e-9, "[0, 1)"),
            ("epsilon", self.epsilon, positive, "numbers above 0"),
            ("clip", self.clip, 0.0..=f64::MAX, "numbers from 0"),
            ("dropout", f64::from(self.dropout), 0.0..=1.0 - 1e-6, "[0, 1)"),
            ("validate_every", self.validate_every as f64, 1.0..=1e12, "1..=1e12"),
            ("validation_tokens", self.validation_tokens as f64, 1.0..=1e12, "1..=1e12"),
        ];
        for (field, value, range, name) in limits {
            if !range.contains(&value) {
                return Err(RunConfigError::Range { field, value, range: name });
            }
        }
        if self.warmup > self.steps {
            return Err(RunConfigError::Warmup { warmup: self.warmup, steps: self.steps });
        }
        if self.final_learning_rate > self.learning_rate {
            let (end, peak) = (self.final_learning_rate, self.learning_rate);
            return Err(RunConfigError::Rates { end, peak });
        }
        Ok(())
    }
}
