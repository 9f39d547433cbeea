use expe_core::position::PositionConfig;
use expe_core::{Activation, Config};

use super::BenchError;
use crate::config::{PositionSpec, RunConfig, TokenizerKind, TrainConfig, preset};

/// Steps of a training that is only timed: more than there is time for.
const STEPS: u64 = 1_000_000;

/// Names of the built-in shapes for benchmarks; every preset is one as well.
pub const SHAPES: [&str; 3] = ["15m", "128x4", "256x6"];

/// Changes of the sizes of a model; `None` keeps a size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Model width; the width of the MLP becomes four times as large.
    pub width: Option<usize>,
    /// Number of layers.
    pub layers: Option<usize>,
    /// Number of query heads, and of key-value heads.
    pub heads: Option<usize>,
    /// Number of key-value heads, if fewer.
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
    /// Applies the changes to `config`. Its position encoding gets its default width if the model width
    /// changes.
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

/// Returns the configuration with the model width `width`: the same number of heads, an MLP scaled with the
/// width, and the default width of the position encoding.
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

/// Position encodings with the names that they were given.
pub type NamedPositions = Vec<(String, PositionConfig)>;

/// Parses the encodings `specs` for evaluating `model`, or returns the model's own if there are none.
///
/// # Errors
/// [`BenchError::Spec`] for an encoding that is not understood.
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
