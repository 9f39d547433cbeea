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

/// Bytes of a cache line.
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

    /// Creates a model file of `len` zeros that `fill` overwrites in place, so that memory never contains it
    /// twice. `path` names it in messages.
    ///
    /// # Errors
    /// The errors of `fill`, and those of [`from_bytes`](Self::from_bytes).
    pub fn filled<E: From<EngineError>>(
        path: &Path,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let read = |source| EngineError::Read { path: path.to_owned(), source };
        let mut buffer = MmapMut::map_anon(len.saturating_add(LINE)).map_err(read)?;
        // Decoding reads the whole file for every token, and large pages need fewer address translations.
        // Advice that the system does not follow has no effect.
        #[cfg(target_os = "linux")]
        let _ = buffer.advise(memmap2::Advice::HugePage);
        fill(buffer.get_mut(..len).unwrap_or_default())?;
        let mut file = Self { path: path.to_owned(), buffer, start: 0, len };
        let shift = file.beyond_line()?;
        if shift > 0 {
            // Tensors are aligned to 16 bytes, and so is the shift.
            file.start = LINE - shift;
            file.buffer.copy_within(..len, file.start);
        }
        Ok(file)
    }

    /// Returns the offset of the largest tensor in its cache line: a vector across two lines takes two loads.
    /// The sizes of the other tensors are usually multiples of a line.
    fn beyond_line(&self) -> Result<usize, EngineError> {
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
