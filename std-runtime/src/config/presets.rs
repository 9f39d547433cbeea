use expe_core::position::PositionConfig;
use expe_core::{Activation, Config, Norm};

use super::{DataConfig, RunConfig, TokenizerKind, TrainConfig};

/// The names of presets, with descriptions.
pub const PRESETS: [(&str, &str); 4] = [
    ("context-64", "the default: 0.85 M parameters, context 64, BPE 512, 0.8 M tokens"),
    ("demo", "the demo's models: 0.2 M parameters, context 64, BPE 512"),
    ("quick", "the models of the quick demo: 58 k parameters, context 32, bytes"),
    ("stories", "a storyteller for a microcontroller: 0.2 M parameters, context 128, BPE 512"),
];

/// No preset has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown preset `{name}`; known are {}", PRESETS.map(|(name, _)| name).join(", "))]
pub struct UnknownPreset {
    /// The unknown name.
    pub name: String,
}

/// Returns the configuration called `name`, with ExPE positions; see [`PRESETS`].
///
/// # Errors
/// [`UnknownPreset`] if no preset has this name.
pub fn preset(name: &str) -> Result<RunConfig, UnknownPreset> {
    let (model, tokenizer, train) = match name {
        "context-64" => {
            (model(512, 128, 4, 4, 64), TokenizerKind::Bpe, TrainConfig::new(800, 16, 2e-3))
        }
        "demo" => (model(512, 64, 3, 4, 64), TokenizerKind::Bpe, TrainConfig::new(800, 16, 4e-3)),
        "quick" => (model(256, 48, 2, 2, 32), TokenizerKind::Byte, TrainConfig::new(300, 16, 6e-3)),
        "stories" => {
            (model(512, 64, 3, 4, 128), TokenizerKind::Bpe, TrainConfig::new(1_200, 16, 4e-3))
        }
        _ => return Err(UnknownPreset { name: name.to_string() }),
    };
    Ok(RunConfig { data: DataConfig { tokenizer }, train, model })
}

/// Returns a model with RMSNorm, a GELU MLP four times as wide, and a tied head.
fn model(vocab: usize, width: usize, layers: usize, heads: usize, context: usize) -> Config {
    Config {
        vocab,
        width,
        layers,
        heads,
        kv_heads: heads,
        head_width: width / heads,
        hidden: 4 * width,
        context,
        norm: Norm::RmsNorm,
        epsilon: 1e-5,
        activation: Activation::Gelu,
        tied_head: true,
        position: PositionConfig::default_expe(width),
    }
}
