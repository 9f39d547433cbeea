use expe_core::ConfigError;
use expe_core::position::PositionError;

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunConfigError {
    /// The text is not a configuration: invalid TOML, an unknown or missing key, or a wrong type.
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
    /// A value is out of range.
    #[error("[train] `{field}` is {value}; it must lie in {range}")]
    Range {
        /// Key of the value.
        field: &'static str,
        /// Its value.
        value: f64,
        /// The allowed range.
        range: &'static str,
    },
    /// The warm-up is longer than the training.
    #[error("[train] `warmup` is {warmup}, but there are only {steps} steps")]
    Warmup {
        /// Number of warm-up steps.
        warmup: u64,
        /// Number of training steps.
        steps: u64,
    },
    /// The final learning rate exceeds the peak.
    #[error("[train] `final_learning_rate` {end} is above `learning_rate` {peak}")]
    Rates {
        /// Learning rate of the last step.
        end: f64,
        /// Highest learning rate.
        peak: f64,
    },
    /// The vocabulary does not fit the kind of tokenizer.
    #[error("[model] `vocab` is {vocab}; a {kind} tokenizer needs {needed}")]
    Vocabulary {
        /// Vocabulary size of the model.
        vocab: usize,
        /// Kind of tokenizer.
        kind: &'static str,
        /// What the tokenizer needs.
        needed: &'static str,
    },
    /// The position encoding supports fewer positions than the training length.
    #[error(
        "[model.position] distinguishes {length} positions, fewer than the context of {context}; \
         use a larger step or a shorter context"
    )]
    Short {
        /// Positions that the encoding distinguishes.
        length: u32,
        /// Training length.
        context: usize,
    },
}
