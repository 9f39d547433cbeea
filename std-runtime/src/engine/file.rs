use std::path::{Path, PathBuf};

use expe_core::format::{FormatError, Model};
use memmap2::MmapMut;

use super::EngineError;

/// The bytes of a model file, aligned so that the engine can read them in place.
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    /// Whole pages of memory.
    buffer: MmapMut,
    /// Where the file begins and how long it is.
    start: usize,
    len: usize,
}

/// Bytes that the processor fetches together.
const LINE: usize = 64;

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
    /// [`EngineError::Format`]; [`EngineError::Read`] when there is no memory for it.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, EngineError> {
        let read = |source| EngineError::Read { path: path.to_owned(), source };
        let mut buffer = MmapMut::map_anon(bytes.len().saturating_add(LINE)).map_err(read)?;
        // Decoding reads all of it for every token; large pages spare the processor looking up small
        // ones. Where there are none, nothing is lost.
        #[cfg(target_os = "linux")]
        let _ = buffer.advise(memmap2::Advice::HugePage);
        buffer.get_mut(..bytes.len()).unwrap_or_default().copy_from_slice(bytes);
        let mut file = Self { path: path.to_owned(), buffer, start: 0, len: bytes.len() };
        let shift = file.beyond_line()?;
        if shift > 0 {
            // Tensors lie at multiples of 16 bytes, so this keeps them there.
            file.start = LINE - shift;
            file.buffer.copy_within(..bytes.len(), file.start);
        }
        Ok(file)
    }

    /// Bytes by which the largest tensor begins behind the beginning of a line: a vector that lies in two
    /// lines takes two fetches. The others' sizes are multiples of a line, most often.
    fn beyond_line(&self) -> Result<usize, EngineError> {
        let model = self.model()?;
        let largest = model.tensors().max_by_key(|tensor| tensor.bytes.len());
        Ok(largest.map_or(0, |tensor| tensor.bytes.as_ptr().addr() % LINE))
    }

    /// The bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..).and_then(|rest| rest.get(..self.len)).unwrap_or_default()
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
