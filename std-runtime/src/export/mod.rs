//! From a trained model to an `.expe` file.
//!
//! The file's layout, the folding of the position columns and the rounding to the numeric format are
//! `expe-core`'s; here its writer is fed with the tensors of a run folder.

use std::io::{self, Write};
use std::path::Path;

use expe_core::format::{Codes, FormatError, Numbers, TensorId, WeightSource, WriteError, Writer};
use expe_core::model::Config;

use crate::atomic::write_atomically;
use crate::data::Tokenizer;
use crate::engine::ModelFile;
use crate::model::Tensors;

/// Why a model cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The model does not fit into the format.
    #[error("the model cannot be exported: {0}")]
    Format(#[from] FormatError),
    /// A tensor is not there.
    #[error("the model cannot be exported: it has no tensor `{0}`")]
    Missing(String),
    /// A tensor has the wrong shape or a weight that the numeric format cannot hold.
    #[error("the model cannot be exported: {0}")]
    Weights(String),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

struct TensorSource<'t>(&'t Tensors);

impl WeightSource for TensorSource<'_> {
    type Error = ExportError;

    fn row(&mut self, tensor: TensorId, row: usize) -> Result<&[f32], ExportError> {
        let name = tensor.to_string();
        let missing = || ExportError::Missing(name.clone());
        let stored = self.0.get(&name).ok_or_else(missing)?;
        let width = *stored.shape.last().ok_or_else(missing)?;
        stored.values.get(row * width..(row + 1) * width).ok_or_else(|| {
            let shape = &stored.shape;
            ExportError::Weights(format!("`{name}` has the shape {shape:?} and no row {row}"))
        })
    }

    fn codes(&mut self, tensor: TensorId, _: usize) -> Result<Codes<'_>, ExportError> {
        Err(ExportError::Missing(tensor.to_string()))
    }
}

/// Write `tensors`, a model of the shape `config`, as an `.expe` file into `sink`; gives its length.
///
/// # Errors
/// [`ExportError`].
pub fn write(
    config: &Config,
    tensors: &Tensors,
    tokenizer: &Tokenizer,
    numbers: Numbers,
    mut sink: impl Write,
) -> Result<u64, ExportError> {
    let writer = Writer::new(config, tokenizer.core(), numbers)?;
    writer.write(&mut TensorSource(tensors), |piece| sink.write_all(piece)).map_err(|error| {
        match error {
            WriteError::Source(error) => error,
            WriteError::Sink(error) => ExportError::Write(error),
            shape => ExportError::Weights(shape.to_string()),
        }
    })?;
    Ok(writer.file_len())
}

/// Put a finished `.expe` file at `path`, whole or not at all.
///
/// # Errors
/// [`ExportError::Write`].
pub fn save(file: &ModelFile, path: &Path) -> Result<(), ExportError> {
    Ok(write_atomically(path, |to| to.write_all(file.bytes()))?)
}
