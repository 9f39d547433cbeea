//! A text: a file or generated stories.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use xxhash_rust::xxh3::xxh3_128;

use super::DataError;

/// Minimum size in bytes of files that are memory-mapped instead of read. Small files are not mapped, because
/// Linux limits a process to 65 530 maps.
const MAP_FROM: u64 = 1 << 20;

/// A text with its name and the hash of its content.
#[derive(Debug)]
pub struct Document {
    name: PathBuf,
    content: Content,
    hash: u128,
}

#[derive(Debug)]
enum Content {
    Owned(String),
    Mapped(Mmap),
}

impl Document {
    /// Creates a document from a text in memory.
    pub fn from_text(name: impl Into<PathBuf>, text: String) -> Self {
        let hash = xxh3_128(text.as_bytes());
        Self { name: name.into(), content: Content::Owned(text), hash }
    }

    /// Opens a text file. Large files are memory-mapped.
    ///
    /// # Errors
    /// [`DataError::NotFound`], [`NotReadable`](DataError::NotReadable),
    /// [`Empty`](DataError::Empty), or [`Binary`](DataError::Binary) for a file that is not UTF-8 or
    /// contains a NUL.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let metadata = fs::metadata(path).map_err(|error| unreadable(path, error))?;
        if !metadata.is_file() {
            let error = io::Error::other("it is not a regular file; save the text to a file first");
            return Err(unreadable(path, error));
        }
        let content = if metadata.len() < MAP_FROM {
            let bytes = fs::read(path).map_err(|error| unreadable(path, error))?;
            check(path, &bytes)?;
            let text = String::from_utf8(bytes).map_err(|_| DataError::Changed(path.into()))?;
            Content::Owned(text)
        } else {
            let map = map(path).map_err(|error| unreadable(path, error))?;
            check(path, &map)?;
            Content::Mapped(map)
        };
        let hash = match &content {
            Content::Owned(text) => xxh3_128(text.as_bytes()),
            Content::Mapped(map) => xxh3_128(map),
        };
        Ok(Self { name: path.to_path_buf(), content, hash })
    }

    /// Returns the path of the file, or `stories:SEED:SIZE`.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Returns the 128-bit xxh3 hash of the bytes.
    pub fn hash(&self) -> u128 {
        self.hash
    }

    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        self.bytes().len()
    }

    /// Returns whether the text is empty; [`Document::open`] refuses empty files.
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// Returns the bytes of the text.
    pub fn bytes(&self) -> &[u8] {
        match &self.content {
            Content::Owned(text) => text.as_bytes(),
            Content::Mapped(map) => map,
        }
    }

    /// Returns the text. The content of a mapped file can change, so its UTF-8 is checked on every call.
    ///
    /// # Errors
    /// [`DataError::Changed`] when a mapped file is no longer text.
    pub fn text(&self) -> Result<&str, DataError> {
        match &self.content {
            Content::Owned(text) => Ok(text),
            Content::Mapped(map) => {
                std::str::from_utf8(map).map_err(|_| DataError::Changed(self.name.clone()))
            }
        }
    }
}

#[allow(unsafe_code)]
fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the map is private and read-only, and no code relies on its bytes remaining the same: they are
    // accessed only as bytes or through a new UTF-8 check. If another process truncates the file, this process
    // ends with a bus error, a known limitation of memory-mapped files.
    unsafe { Mmap::map(&file) }
}

fn unreadable(path: &Path, source: io::Error) -> DataError {
    match source.kind() {
        io::ErrorKind::NotFound => DataError::NotFound(path.into()),
        _ => DataError::NotReadable { path: path.into(), source },
    }
}

fn check(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let binary = |offset, reason| Err(DataError::Binary { path: path.into(), offset, reason });
    if bytes.is_empty() {
        return Err(DataError::Empty(path.into()));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| error.valid_up_to());
    match (bytes.iter().position(|&byte| byte == 0), text) {
        (Some(nul), Err(invalid)) if invalid < nul => binary(invalid, "not valid UTF-8"),
        (Some(nul), _) => binary(nul, "a NUL"),
        (None, Err(invalid)) => binary(invalid, "not valid UTF-8"),
        (None, Ok(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &[u8]) -> Result<Document, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        fs::write(&path, bytes).unwrap();
        Document::open(&path)
    }

    #[test]
    fn read_and_mapped_files_give_the_same_text() {
        let line = "müde Wörter\n";
        let small = open(line.as_bytes()).unwrap();
        assert!(matches!(small.content, Content::Owned(_)));
        assert_eq!(small.text().unwrap(), line);
        let long = line.repeat(MAP_FROM as usize / line.len() + 1);
        let large = open(long.as_bytes()).unwrap();
        assert!(matches!(large.content, Content::Mapped(_)));
        assert_eq!(large.text().unwrap(), long);
        assert_eq!(large.hash(), Document::from_text("x", long).hash());
    }

    #[test]
    fn errors_describe_invalid_files() {
        assert!(matches!(open(b""), Err(DataError::Empty(_))));
        let cases: [(&[u8], usize, &str); 3] = [
            (b"ab\0c", 2, "a NUL"),
            (b"abc\xff\0", 3, "not valid UTF-8"),
            (b"a\0\xff", 1, "a NUL"),
        ];
        for (bytes, expected, why) in cases {
            match open(bytes) {
                Err(DataError::Binary { offset, reason, .. }) => {
                    assert_eq!((offset, reason), (expected, why));
                }
                other => panic!("{other:?}"),
            }
        }
        let missing = Document::open(Path::new("/nonexistent/text"));
        assert!(matches!(missing, Err(DataError::NotFound(_))));
        #[cfg(target_os = "linux")]
        assert!(matches!(
            Document::open(Path::new("/dev/zero")),
            Err(DataError::NotReadable { .. })
        ));
    }
}
