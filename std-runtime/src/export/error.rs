use std::io;
use std::path::PathBuf;

use expe_core::format::FormatError;

use crate::engine::EngineError;
use crate::quantize::QuantizeError;

/// Why a model cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The format cannot represent the model.
    #[error("the model cannot be exported: {0}")]
    Format(#[from] FormatError),
    /// The model lacks a tensor.
    #[error("the model cannot be exported: it has no tensor `{0}`")]
    Missing(String),
    /// A tensor has the wrong shape, or a weight that its type cannot represent.
    #[error("the model cannot be exported: {0}")]
    Weights(String),
    /// The matrices cannot be quantized.
    #[error("the model cannot be exported: {0}")]
    Quantize(#[from] QuantizeError),
    /// The exported model cannot be run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The output path names an existing file that is not a model file.
    #[error("{}: the file exists and is not an .expe file, so it is not replaced", .0.display())]
    Occupied(PathBuf),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}
