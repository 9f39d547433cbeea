//! From a trained model to an `.expe` file.
//!
//! The file's layout, the folding of the position columns and the rounding to formats of floats are
//! `expe-core`'s; here its writer is fed with the tensors of a run folder. How weights become integers
//! is for [`quantize`](crate::quantize).

mod scheme;

pub use scheme::Scheme;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use expe_core::Config;
use expe_core::format::{
    FormatError, MAGIC, QuantizedRow, Storage, TensorId, WeightSource, WriteError, Writer,
};

use crate::atomic::write_atomically;
use crate::data::Tokenizer;
use crate::engine::ModelFile;
use crate::model::Tensors;
use crate::quantize::Quantised;

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
    /// Something else would be lost.
    #[error("{}: is there already and no .expe file; it is left as it is, choose another --out", .0.display())]
    Occupied(PathBuf),
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

/// The tensors of a run folder, and their matrices as integers where they were rounded.
struct TensorSource<'t> {
    tensors: &'t Tensors,
    quantised: Option<&'t Quantised>,
}

impl WeightSource for TensorSource<'_> {
    type Error = ExportError;

    fn row(&mut self, tensor: TensorId, row: usize) -> Result<&[f32], ExportError> {
        let name = tensor.to_string();
        let missing = || ExportError::Missing(name.clone());
        let stored = self.tensors.get(&name).ok_or_else(missing)?;
        let width = *stored.shape.last().ok_or_else(missing)?;
        stored.values.get(row * width..(row + 1) * width).ok_or_else(|| {
            let shape = &stored.shape;
            ExportError::Weights(format!("`{name}` has the shape {shape:?} and no row {row}"))
        })
    }

    fn quantized_row(
        &mut self,
        tensor: TensorId,
        row: usize,
    ) -> Result<QuantizedRow<'_>, ExportError> {
        let codes = self.quantised.and_then(|quantised| quantised.row(tensor, row));
        codes.ok_or_else(|| ExportError::Missing(tensor.to_string()))
    }
}

/// Write `tensors`, a model of the shape `config`, as an `.expe` file into `sink`; gives its length.
/// Formats of integers need the matrices in `quantised`.
///
/// # Errors
/// [`ExportError`].
pub fn write(
    config: &Config,
    tensors: &Tensors,
    tokenizer: &Tokenizer,
    storage: impl Into<Storage>,
    quantised: Option<&Quantised>,
    mut sink: impl Write,
) -> Result<u64, ExportError> {
    let writer = Writer::new(config, tokenizer.core(), storage)?;
    let mut source = TensorSource { tensors, quantised };
    writer.write(&mut source, |piece| sink.write_all(piece)).map_err(|error| match error {
        WriteError::Source(error) => error,
        WriteError::Sink(error) => ExportError::Write(error),
        shape => ExportError::Weights(shape.to_string()),
    })?;
    Ok(writer.file_len())
}

/// Put a finished `.expe` file at `path`, whole or not at all; it may take the place of another one,
/// and of nothing else.
///
/// # Errors
/// [`ExportError::Occupied`] or [`ExportError::Write`].
pub fn save(file: &ModelFile, path: &Path) -> Result<(), ExportError> {
    if path.is_file() && !starts_with_magic(path)? {
        return Err(ExportError::Occupied(path.to_owned()));
    }
    Ok(write_atomically(path, |to| to.write_all(file.bytes()))?)
}

/// Whether a file is empty or begins as an `.expe` file does.
fn starts_with_magic(path: &Path) -> io::Result<bool> {
    let mut front = Vec::new();
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut front)?;
    Ok(front.is_empty() || front == MAGIC)
}
