//! The model that is measured, where no file is named.

use std::path::PathBuf;

use expe_core::position::PositionConfig;
use expe_core::{Activation, Config};

use crate::bench::BenchError;
use crate::cli::CliError;
use crate::cli::train::read_config;
use crate::compare::PositionSpec;
use crate::config::{RunConfig, TokenizerKind, TrainConfig, preset};

/// Steps of a training that is only measured: more than there is time for.
const STEPS: u64 = 1_000_000;

/// Shapes that are only for benchmarks.
const SHAPES: [&str; 3] = ["15m", "128x4", "256x6"];

/// The model that is measured: a preset or a configuration, and what is different.
#[derive(Debug, clap::Args)]
pub struct ShapeArgs {
    /// A configuration file (a `config.toml` of a run folder is one).
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// A built-in shape: 15m (288 wide, 6 layers, 6 heads, SwiGLU 768, vocabulary 32000, context 256),
    /// 128x4 (4 heads, GELU 512, vocabulary 512, context 128, batch 16), 256x6 (8 heads, GELU 1024,
    /// vocabulary 512, context 256, batch 8), or a preset of `expe train`.
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Width of the model; the MLP is four times as wide, if --hidden does not say otherwise.
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// Layers.
    #[arg(long, value_name = "N")]
    layers: Option<usize>,
    /// Heads of queries, of keys and of values.
    #[arg(long, value_name = "N")]
    heads: Option<usize>,
    /// Heads of keys and values, if fewer.
    #[arg(long, value_name = "N")]
    kv_heads: Option<usize>,
    /// Inner width of the MLP.
    #[arg(long, value_name = "N")]
    hidden: Option<usize>,
    /// Activation of the MLP.
    #[arg(long, value_enum)]
    activation: Option<ActivationArg>,
    /// Tokens of the vocabulary, at least 256.
    #[arg(long, value_name = "N")]
    vocab: Option<usize>,
    /// Training length.
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// Position encodings, as `expe train --position` takes them, separated by commas
    /// [default: the configuration's].
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub position: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ActivationArg {
    Gelu,
    Swiglu,
    Relu,
}

impl ShapeArgs {
    /// The configuration, starting from the preset `default`.
    ///
    /// # Errors
    /// [`CliError`] for sizes that do not fit together.
    pub fn config(&self, default: &str) -> Result<RunConfig, CliError> {
        let mut config = match (&self.config, &self.preset) {
            (Some(path), _) => read_config(path)?,
            (None, name) => named(name.as_deref().unwrap_or(default))?,
        };
        config.train.steps = STEPS;
        let model = &mut config.model;
        let columns = model.override_block();
        let same_position = self.width.is_none() || columns.width == 0;
        for (size, wanted) in [
            (&mut model.layers, self.layers),
            (&mut model.vocab, self.vocab),
            (&mut model.context, self.context),
        ] {
            *size = wanted.unwrap_or(*size);
        }
        if let Some(width) = self.width {
            (model.width, model.hidden) = (width, width.saturating_mul(4));
        }
        model.hidden = self.hidden.unwrap_or(model.hidden);
        if let Some(heads) = self.heads {
            (model.heads, model.kv_heads) = (heads, heads);
        }
        model.kv_heads = self.kv_heads.unwrap_or(model.kv_heads);
        if self.width.is_some() || self.heads.is_some() {
            let (width, heads) = (model.width, model.heads);
            match width.checked_rem(heads) {
                Some(0) => model.head_width = width / heads,
                _ => return Err(BenchError::HeadWidth { width, heads }.into()),
            }
        }
        if let Some(activation) = self.activation {
            model.activation = match activation {
                ActivationArg::Gelu => Activation::Gelu,
                ActivationArg::Swiglu => Activation::SwiGlu,
                ActivationArg::Relu => Activation::Relu,
            };
        }
        if model.vocab < 256 {
            return Err(BenchError::Vocabulary { vocab: model.vocab }.into());
        }
        config.data.tokenizer =
            if model.vocab == 256 { TokenizerKind::Byte } else { TokenizerKind::Bpe };
        if !same_position {
            // As many columns as the encoding has by default at this width.
            let spec = PositionSpec::parse(model.position.name(), model.width, model.context)?;
            model.position = spec.trained;
        }
        model.check().map_err(BenchError::from)?;
        Ok(config)
    }

    /// The position encodings that were asked for, or else the model's own, with their names.
    ///
    /// # Errors
    /// [`CliError::Spec`].
    pub fn positions(&self, model: &Config) -> Result<Vec<(String, PositionConfig)>, CliError> {
        if self.position.is_empty() {
            return Ok(vec![(model.position.name().to_owned(), model.position)]);
        }
        let parse = |spec: &String| {
            let parsed = PositionSpec::parse(spec, model.width, model.context)?;
            Ok((spec.clone(), parsed.evaluated))
        };
        self.position.iter().map(parse).collect()
    }

    /// As [`positions`](Self::positions), to train with.
    ///
    /// # Errors
    /// [`CliError::Spec`], [`CliError::EvaluationOnly`].
    pub fn trained_positions(
        &self,
        model: &Config,
    ) -> Result<Vec<(String, PositionConfig)>, CliError> {
        let positions = self.positions(model)?;
        match positions.iter().find(|(name, _)| name.contains('@')) {
            Some((name, _)) => Err(CliError::EvaluationOnly { spec: name.clone() }),
            None => Ok(positions),
        }
    }
}

/// The same model in another width: as many heads of another width, an MLP as many times as wide, and as
/// many overridden columns as the encoding has by default.
///
/// # Errors
/// [`CliError::Bench`] for a width that the heads do not divide.
pub fn resized(base: &RunConfig, width: usize) -> Result<RunConfig, CliError> {
    let mut config = base.clone();
    let model = &mut config.model;
    if width.checked_rem(model.heads) != Some(0) {
        return Err(BenchError::HeadWidth { width, heads: model.heads }.into());
    }
    model.hidden = model.hidden.saturating_mul(width) / model.width;
    (model.width, model.head_width) = (width, width / model.heads);
    if model.override_block().width > 0 {
        let spec = PositionSpec::parse(model.position.name(), width, model.context)?;
        model.position = spec.trained;
    }
    model.check().map_err(BenchError::from)?;
    Ok(config)
}

/// The shape called `name`.
fn named(name: &str) -> Result<RunConfig, CliError> {
    let mut config = preset("context-64")?;
    let (width, layers, heads, context, batch) = match name {
        "15m" => (288, 6, 6, 256, 8),
        "128x4" => (128, 4, 4, 128, 16),
        "256x6" => (256, 6, 8, 256, 8),
        _ => {
            let shapes = &SHAPES;
            return preset(name)
                .map_err(|wrong| BenchError::Shape { name: wrong.name, shapes }.into());
        }
    };
    let model = Config {
        width,
        layers,
        heads,
        kv_heads: heads,
        head_width: width / heads,
        hidden: 4 * width,
        context,
        position: PositionSpec::parse("expe", width, context)?.trained,
        ..config.model
    };
    config.train = TrainConfig::new(STEPS, batch, 1e-3);
    config.model = match name {
        "15m" => Config { vocab: 32_000, hidden: 768, activation: Activation::SwiGlu, ..model },
        _ => model,
    };
    Ok(config)
}
