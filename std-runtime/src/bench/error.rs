use expe_core::ConfigError;
use expe_core::format::FormatError;
use expe_core::position::PositionError;

use crate::config::{PRESETS, RunConfigError, SpecError, UnknownPreset};
use crate::data::DataError;
use crate::device::DeviceError;
use crate::engine::EngineError;
use crate::model::ModelError;
use crate::train::TrainError;

/// Why a benchmark cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A stop was requested.
    #[error("interrupted")]
    Interrupted,
    /// The sizes of the model do not fit together.
    #[error("the model: {0}")]
    Model(#[from] ConfigError),
    /// A text cannot be scored.
    #[error("{0}")]
    Evaluation(String),
    /// A width that is not a multiple of the number of heads.
    #[error("a width of {width} cannot be divided among {heads} heads; choose a multiple")]
    HeadWidth {
        /// Model width.
        width: usize,
        /// Query heads.
        heads: usize,
    },
    /// A vocabulary that is smaller than that of every tokenizer.
    #[error("a vocabulary of {vocab} is too small; every tokenizer needs 256 tokens for the bytes")]
    Vocabulary {
        /// Vocabulary size.
        vocab: usize,
    },
    /// A position encoding that supports too few positions.
    #[error("the encoding {position} distinguishes {length} positions, but {needed} are needed")]
    Short {
        /// The encoding.
        position: String,
        /// Positions that it distinguishes.
        length: u32,
        /// Positions of the benchmark.
        needed: usize,
    },
    /// The model file cannot be created.
    #[error("the random model cannot be written: {0}")]
    Format(#[from] FormatError),
    /// A weight that the format cannot represent.
    #[error("the random model cannot be written: {0}")]
    Weights(String),
    /// A configuration that is not valid.
    #[error(transparent)]
    Config(#[from] RunConfigError),
    /// An unknown preset.
    #[error(transparent)]
    Preset(#[from] UnknownPreset),
    /// An unknown shape, which is not a preset either.
    #[error(
        "unknown preset `{name}`; known are {}, {}",
        .shapes.join(", "), PRESETS.map(|(name, _)| name).join(", ")
    )]
    Shape {
        /// The unknown name.
        name: String,
        /// The shapes for benchmarks.
        shapes: &'static [&'static str],
    },
    /// Several encodings for a benchmark of one model.
    #[error(
        "{given} position encodings were given, but this benchmark takes one; run it once for each"
    )]
    OnePosition {
        /// Number of encodings.
        given: usize,
    },
    /// A position encoding that cannot be parsed.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A position encoding that cannot be built.
    #[error("the position encoding: {0}")]
    Position(#[from] PositionError),
    /// The tokenizer of the random model cannot be created.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The dfdx model cannot be created or run.
    #[error(transparent)]
    Transformer(#[from] ModelError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The device cannot be used, or failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The core engine cannot run the model.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Threads cannot be started.
    #[error("{threads} threads cannot be started: {source}")]
    Threads {
        /// Requested threads.
        threads: usize,
        /// The reason.
        source: rayon::ThreadPoolBuildError,
    },
}
