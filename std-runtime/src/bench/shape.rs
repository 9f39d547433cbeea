use expe_core::position::PositionConfig;
use expe_core::{Activation, Config};

use super::BenchError;
use crate::config::{PositionSpec, RunConfig, TokenizerKind, TrainConfig, preset};

/// Number of steps of a run that is only timed; it is never completed.
const STEPS: u64 = 1_000_000;

/// Names of the built-in shapes for benchmarks, in addition to the presets.
pub const SHAPES: [&str; 3] = ["15m", "128x4", "256x6"];

/// Changes to the sizes of a model. `None` keeps a size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Model width. It also sets the width of the MLP to four times this value.
    pub width: Option<usize>,
    /// Number of layers.
    pub layers: Option<usize>,
    /// Number of query heads. It also sets the number of key-value heads.
    pub heads: Option<usize>,
    /// Number of key-value heads, if there are fewer.
    pub kv_heads: Option<usize>,
    /// Width of the MLP.
    pub hidden: Option<usize>,
    /// Activation function of the MLP.
    pub activation: Option<Activation>,
    /// Number of tokens in the vocabulary, at least 256.
    pub vocab: Option<usize>,
    /// Training length.
    pub context: Option<usize>,
}

impl Sizes {
    /// Applies the changes to `config`. If the model width changes, the position encoding is reset to its defaults for
    /// the new width.
    ///
    /// # Errors
    /// [`BenchError`] for sizes that do not fit together.
    pub fn apply(&self, mut config: RunConfig) -> Result<RunConfig, BenchError> {
        config.train.steps = STEPS;
        let model = &mut config.model;
        let default_position = self.width.is_some() && model.override_block().width > 0;
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
                _ => return Err(BenchError::HeadWidth { width, heads }),
            }
        }
        model.activation = self.activation.unwrap_or(model.activation);
        if model.vocab < 256 {
            return Err(BenchError::Vocabulary { vocab: model.vocab });
        }
        config.data.tokenizer =
            if model.vocab == 256 { TokenizerKind::Byte } else { TokenizerKind::Bpe };
        if default_position {
            let spec = PositionSpec::parse(model.position.name(), model.width, model.context)?;
            model.position = spec.trained;
        }
        model.check()?;
        Ok(config)
    }
}

/// Returns the configuration with the model width `width`. The number of heads is kept, the MLP is scaled in
/// proportion, and the position encoding gets its defaults for the new width.
///
/// # Errors
/// [`BenchError::HeadWidth`] for a width that is not a multiple of the number of heads.
pub fn resized(base: &RunConfig, width: usize) -> Result<RunConfig, BenchError> {
    let mut config = base.clone();
    let model = &mut config.model;
    if width.checked_rem(model.heads) != Some(0) {
        return Err(BenchError::HeadWidth { width, heads: model.heads });
    }
    model.hidden = model.hidden.saturating_mul(width) / model.width;
    (model.width, model.head_width) = (width, width / model.heads);
    if model.override_block().width > 0 {
        let spec = PositionSpec::parse(model.position.name(), width, model.context)?;
        model.position = spec.trained;
    }
    model.check()?;
    Ok(config)
}

/// Returns the shape or preset called `name`; see [`SHAPES`].
///
/// # Errors
/// [`BenchError::Shape`] for an unknown name.
pub fn shape(name: &str) -> Result<RunConfig, BenchError> {
    let mut config = preset("context-64")?;
    let (width, layers, heads, context, batch) = match name {
        "15m" => (288, 6, 6, 256, 8),
        "128x4" => (128, 4, 4, 128, 16),
        "256x6" => (256, 6, 8, 256, 8),
        _ => {
            let shapes = &SHAPES;
            return preset(name).map_err(|wrong| BenchError::Shape { name: wrong.name, shapes });
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

/// Position encodings with their names as given by the user.
pub type NamedPositions = Vec<(String, PositionConfig)>;

/// Parses the encodings `specs` for evaluating `model`. If there are none, returns the encoding of the model.
///
/// # Errors
/// [`BenchError::Spec`] for an encoding that cannot be parsed.
pub fn positions(specs: &[String], model: &Config) -> Result<NamedPositions, BenchError> {
    if specs.is_empty() {
        return Ok(vec![(model.position.name().to_owned(), model.position)]);
    }
    let parse = |spec: &String| {
        let parsed = PositionSpec::parse(spec, model.width, model.context)?;
        Ok((spec.clone(), parsed.evaluated))
    };
    specs.iter().map(parse).collect()
}
