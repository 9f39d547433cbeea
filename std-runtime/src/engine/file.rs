use std::path::{Path, PathBuf};

use expe_core::format::{FormatError, Model};

use super::EngineError;

/// Tensors in a model file begin at multiples of this many bytes.
const ALIGNMENT: usize = 16;

/// The bytes of a model file, aligned so that the engine can read them in place.
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    buffer: Vec<u8>,
    start: usize,
    len: usize,
}

impl ModelFile {
    /// Read the file at `path` and check it.
    ///
    /// # Errors
    /// [`EngineError::Folder`], [`EngineError::Read`] or [`EngineError::Format`].
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        if path.is_dir() {
            return Err(EngineError::Folder(path.to_owned()));
        }
        let bytes = std::fs::read(path)
            .map_err(|source| EngineError::Read { path: path.to_owned(), source })?;
        Self::from_bytes(path, &bytes)
    }

    /// Take a copy of the bytes of a model file and check it; `path` names it in messages.
    ///
    /// # Errors
    /// [`EngineError::Format`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, EngineError> {
        let mut buffer = vec![0; bytes.len() + ALIGNMENT];
        // Moving the vector does not move its elements, so the offset stays right.
        let start = buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        buffer[start..start + bytes.len()].copy_from_slice(bytes);
        let file = Self { path: path.to_owned(), buffer, start, len: bytes.len() };
        file.model()?;
        Ok(file)
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.start + self.len]
    }

    /// The model in the file.
    ///
    /// # Errors
    /// [`EngineError::Format`] when the file is not a model.
    pub fn model(&self) -> Result<Model<'_>, EngineError> {
        Model::new(self.bytes())
            .map_err(|source: FormatError| EngineError::Format { path: self.path.clone(), source })
    }
}
