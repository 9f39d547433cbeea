//! The flags that describe the model to measure.

use std::path::PathBuf;

use expe::bench::{BenchError, NamedPositions, Sizes, positions, shape};
use expe::config::RunConfig;
use expe_core::position::PositionConfig;
use expe_core::{Activation, Config};

use crate::cli::CliError;

/// The model to measure: a preset or a configuration, with changes.
#[derive(Debug, clap::Args)]
pub struct ShapeArgs {
    /// A configuration file, such as the `config.toml` of a run folder.
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// A built-in shape: 15m (288 wide, 6 layers, 6 heads, SwiGLU 768, vocabulary 32000, context 256),
    /// 128x4 (4 heads, GELU 512, vocabulary 512, context 128, batch 16), 256x6 (8 heads, GELU 1024,
    /// vocabulary 512, context 256, batch 8), or a preset of `expe train`.
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Model width; the MLP is four times as wide unless --hidden is given.
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// Number of layers.
    #[arg(long, value_name = "N")]
    layers: Option<usize>,
    /// Number of query heads, and of key-value heads.
    #[arg(long, value_name = "N")]
    heads: Option<usize>,
    /// Number of key-value heads, if there are fewer.
    #[arg(long, value_name = "N")]
    kv_heads: Option<usize>,
    /// Width of the MLP.
    #[arg(long, value_name = "N")]
    hidden: Option<usize>,
    /// Activation function of the MLP.
    #[arg(long, value_enum)]
    activation: Option<ActivationArg>,
    /// Size of the vocabulary, at least 256.
    #[arg(long, value_name = "N")]
    vocab: Option<usize>,
    /// Training length.
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// Position encodings, as for `expe train --position`, separated by commas
    /// [default: from the configuration].
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub position: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ActivationArg {
    Gelu,
    Swiglu,
    Relu,
}

impl From<ActivationArg> for Activation {
    fn from(activation: ActivationArg) -> Self {
        match activation {
            ActivationArg::Gelu => Self::Gelu,
            ActivationArg::Swiglu => Self::SwiGlu,
            ActivationArg::Relu => Self::Relu,
        }
    }
}

impl ShapeArgs {
    /// Returns the configuration with the requested changes. Without `--config` and `--preset`, starts from the shape
    /// `default`.
    ///
    /// # Errors
    /// [`CliError`] for sizes that do not fit together.
    pub fn config(&self, default: &str) -> Result<RunConfig, CliError> {
        let config = match (&self.config, &self.preset) {
            (Some(path), _) => RunConfig::load(path)?,
            (None, name) => shape(name.as_deref().unwrap_or(default))?,
        };
        let sizes = Sizes {
            width: self.width,
            layers: self.layers,
            heads: self.heads,
            kv_heads: self.kv_heads,
            hidden: self.hidden,
            activation: self.activation.map(Activation::from),
            vocab: self.vocab,
            context: self.context,
        };
        Ok(sizes.apply(config)?)
    }

    /// Returns the requested position encodings with their names, or the encoding of the model if none were requested.
    ///
    /// # Errors
    /// [`CliError::Bench`] for an encoding that cannot be parsed.
    pub fn positions(&self, model: &Config) -> Result<NamedPositions, CliError> {
        Ok(positions(&self.position, model)?)
    }

    /// Same as [`positions`](Self::positions), but for training.
    ///
    /// # Errors
    /// Same as [`positions`](Self::positions), and [`CliError::EvaluationOnly`] for settings after `@`.
    pub fn trained_positions(&self, model: &Config) -> Result<NamedPositions, CliError> {
        match self.position.iter().find(|spec| spec.contains('@')) {
            Some(spec) => Err(CliError::EvaluationOnly { spec: spec.clone() }),
            None => self.positions(model),
        }
    }

    /// Returns the only encoding of `positions`, for a benchmark of one model.
    ///
    /// # Errors
    /// [`CliError::Bench`] if there are several.
    pub fn single_position(positions: &NamedPositions) -> Result<PositionConfig, CliError> {
        match positions.as_slice() {
            [(_, position)] => Ok(*position),
            several => Err(BenchError::OnePosition { given: several.len() }.into()),
        }
    }
}
