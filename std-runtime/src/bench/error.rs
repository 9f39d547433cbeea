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
    /// It was asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The sizes of the model do not fit together.
    #[error("the model: {0}")]
    Model(#[from] ConfigError),
    /// A text cannot be scored.
    #[error("{0}")]
    Evaluation(String),
    /// A width that heads do not divide.
    #[error("a width of {width} cannot be divided among {heads} heads; choose a multiple")]
    HeadWidth {
        /// Model width.
        width: usize,
        /// Query heads.
        heads: usize,
    },
    /// A vocabulary that no tokenizer has.
    #[error("a vocabulary of {vocab} is too small; every tokenizer has the 256 bytes")]
    Vocabulary {
        /// Tokens.
        vocab: usize,
    },
    /// A position encoding that does not reach the last position.
    #[error("the encoding {position} distinguishes {length} positions, and {needed} are needed")]
    Short {
        /// The encoding.
        position: String,
        /// Positions that it tells apart.
        length: u32,
        /// Positions of the benchmark.
        needed: usize,
    },
    /// The model file cannot be made.
    #[error("the random model cannot be written: {0}")]
    Format(#[from] FormatError),
    /// A weight that the format cannot hold.
    #[error("the random model cannot be written: {0}")]
    Weights(String),
    /// A configuration that makes no sense.
    #[error(transparent)]
    Config(#[from] RunConfigError),
    /// Wrong preset.
    #[error(transparent)]
    Preset(#[from] UnknownPreset),
    /// There is no shape of this name, neither one for benchmarks nor a preset.
    #[error(
        "unknown preset `{name}`; known are {}, {}",
        .shapes.join(", "), PRESETS.map(|(name, _)| name).join(", ")
    )]
    Shape {
        /// The name asked for.
        name: String,
        /// Those that are only for benchmarks.
        shapes: &'static [&'static str],
    },
    /// Several encodings where there is one model.
    #[error(
        "{given} position encodings were given, and this benchmark takes one; run it once for each"
    )]
    OnePosition {
        /// Encodings asked for.
        given: usize,
    },
    /// Wrong position encoding.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A position encoding that cannot be built.
    #[error("the position encoding: {0}")]
    Position(#[from] PositionError),
    /// Merges of the random model's tokenizer.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model that is trained.
    #[error(transparent)]
    Transformer(#[from] ModelError),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The device cannot be used, or failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The core engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Threads cannot be started.
    #[error("{threads} threads cannot be started: {source}")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// The reason.
        source: rayon::ThreadPoolBuildError,
    },
}
