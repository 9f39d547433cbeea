use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use expe_core::Config;
use expe_core::format::TensorId;
use expe_core::internals::{MAGIC, QuantizedRow, Storage, WeightSource, WriteError, Writer};

use super::ExportError;
use crate::atomic::write_atomically;
use crate::data::Tokenizer;
use crate::engine::ModelFile;
use crate::model::Tensors;
use crate::quantize::Quantized;

/// The tensors of a model, and its quantized matrices if it is exported as integers.
struct TensorSource<'t> {
    tensors: &'t Tensors,
    quantized: Option<&'t Quantized>,
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
        let row = self.quantized.and_then(|quantized| quantized.row(tensor, row));
        row.ok_or_else(|| ExportError::Missing(tensor.to_string()))
    }
}

/// Writes a model to `sink` in the `.expe` format and returns the length in bytes. Integer formats take the
/// matrices from `quantized` instead of `tensors`.
///
/// # Errors
/// [`ExportError`] when the format cannot represent the model, or when `sink` fails.
pub fn write(
    config: &Config,
    tensors: &Tensors,
    tokenizer: &Tokenizer,
    storage: impl Into<Storage>,
    quantized: Option<&Quantized>,
    mut sink: impl Write,
) -> Result<u64, ExportError> {
    let writer = Writer::new(config, tokenizer.core(), storage)?;
    let mut source = TensorSource { tensors, quantized };
    writer.write(&mut source, |piece| sink.write_all(piece)).map_err(|error| match error {
        WriteError::Source(error) => error,
        WriteError::Sink(error) => ExportError::Write(error),
        shape => ExportError::Weights(shape.to_string()),
    })?;
    Ok(writer.file_len())
}

/// Writes `file` to `path` atomically. Replaces only another `.expe` file or an empty file.
///
/// # Errors
/// [`ExportError::Occupied`] when `path` is a file of another kind, [`ExportError::Write`] when the file cannot
/// be written.
pub fn save(file: &ModelFile, path: &Path) -> Result<(), ExportError> {
    if path.is_file() && !starts_with_magic(path)? {
        return Err(ExportError::Occupied(path.to_owned()));
    }
    Ok(write_atomically(path, |to| to.write_all(file.bytes()))?)
}

/// Returns whether the file is empty or begins with the magic bytes of an `.expe` file.
fn starts_with_magic(path: &Path) -> io::Result<bool> {
    let mut front = Vec::new();
    File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut front)?;
    Ok(front.is_empty() || front == MAGIC)
}
