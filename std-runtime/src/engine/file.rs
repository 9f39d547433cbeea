use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use expe_core::Model;
use expe_core::format::FormatError;
use memmap2::MmapMut;

use super::EngineError;

/// The bytes of a model file, aligned so that the engine can read them in place.
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    /// Whole pages of memory.
    buffer: MmapMut,
    /// Offset and length of the file in the buffer.
    start: usize,
    len: usize,
}

/// Size of a cache line in bytes.
const LINE: usize = 64;

impl ModelFile {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// [`EngineError::Folder`], [`EngineError::Read`] or [`EngineError::Format`].
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        if path.is_dir() {
            return Err(EngineError::Folder(path.to_owned()));
        }
        let read = |source| EngineError::Read { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(read)?;
        let metadata = file.metadata().map_err(read)?;
        if metadata.is_file() {
            let len = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
            return Self::filled(path, len, |bytes| file.read_exact(bytes).map_err(read));
        }
        // The length of a pipe is unknown.
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(read)?;
        Self::from_bytes(path, &bytes)
    }

    /// Copies and checks the bytes of a model file; `path` names it in messages.
    ///
    /// # Errors
    /// [`EngineError::Format`]; [`EngineError::Read`] when there is not enough memory.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, EngineError> {
        Self::filled(path, bytes.len(), |buffer| {
            buffer.copy_from_slice(bytes);
            Ok(())
        })
    }

    /// Creates a model file of `len` bytes that `fill` writes in place, so that memory never holds two copies.
    /// `path` names it in messages.
    ///
    /// # Errors
    /// Returns the errors of `fill` and those of [`from_bytes`](Self::from_bytes).
    pub fn filled<E: From<EngineError>>(
        path: &Path,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let read = |source| EngineError::Read { path: path.to_owned(), source };
        let mut buffer = MmapMut::map_anon(len.saturating_add(LINE)).map_err(read)?;
        // Decoding reads the whole file for every token, and large pages need fewer address translations. An
        // error means that the system ignores the advice.
        #[cfg(target_os = "linux")]
        let _ = buffer.advise(memmap2::Advice::HugePage);
        fill(buffer.get_mut(..len).unwrap_or_default())?;
        let mut file = Self { path: path.to_owned(), buffer, start: 0, len };
        let misalignment = file.misalignment()?;
        if misalignment > 0 {
            // Tensors are aligned to 16 bytes, so the new start is a multiple of 16 too.
            file.start = LINE - misalignment;
            file.buffer.copy_within(..len, file.start);
        }
        Ok(file)
    }

    /// Returns the distance in bytes of the largest tensor from the preceding cache line boundary.
    ///
    /// A vector that crosses two cache lines takes two loads. Aligning the largest tensor usually aligns the
    /// others too, because their sizes are multiples of a cache line.
    fn misalignment(&self) -> Result<usize, EngineError> {
        let model = self.model()?;
        let largest = model.tensors().max_by_key(|tensor| tensor.bytes.len());
        Ok(largest.map_or(0, |tensor| tensor.bytes.as_ptr().addr() % LINE))
    }

    /// Returns the bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..).and_then(|rest| rest.get(..self.len)).unwrap_or_default()
    }

    /// Returns the model in the file.
    ///
    /// # Errors
    /// [`EngineError::Format`] when the file is not a model.
    pub fn model(&self) -> Result<Model<'_>, EngineError> {
        Model::new(self.bytes())
            .map_err(|source: FormatError| EngineError::Format { path: self.path.clone(), source })
    }
}
