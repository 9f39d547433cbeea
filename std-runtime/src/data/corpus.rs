//! Collection of texts from all sources.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::split::{Part, Split, split};
use super::{DataError, Document, Source, default_sources, stories};

/// The texts to learn from, sorted by name and without duplicates.
#[derive(Debug)]
pub struct Corpus {
    documents: Vec<Document>,
    skipped: Skipped,
    split: Split,
}

/// Numbers of files that were found and skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Files in a searched folder that contain a NUL or are not UTF-8.
    pub binary: usize,
    /// Empty files in a searched folder.
    pub empty: usize,
    /// Files in a searched folder that could not be opened, and links that are broken or form a loop.
    pub unreadable: usize,
    /// Texts that are identical to another one.
    pub duplicates: usize,
}

impl Corpus {
    /// Opens all sources.
    ///
    /// Folders are searched recursively. Symbolic links are followed, unless they form a loop. Hidden entries and
    /// folders named `target` are skipped. Files in a folder that are not text (UTF-8 without NUL) are skipped and
    /// counted. The result does not depend on the order of the sources.
    ///
    /// # Errors
    /// [`DataError`] for a source that is missing, unreadable, empty or not text, for a folder without text,
    /// and for an empty list of sources.
    ///
    /// ```
    /// use expe::data::{Corpus, Source};
    /// let corpus = Corpus::open(&[Source::Stories { seed: 1, bytes: 10_000 }])?;
    /// assert!(corpus.bytes() >= 10_000);
    /// # Ok::<(), expe::data::DataError>(())
    /// ```
    pub fn open(sources: &[Source]) -> Result<Self, DataError> {
        if sources.is_empty() {
            return Err(DataError::NoSource);
        }
        let mut search = Search::default();
        for source in sources {
            match source {
                Source::Stories { seed, bytes } => {
                    let text = stories::text(*seed, *bytes);
                    search.documents.push(Document::from_text(source.to_string(), text));
                }
                Source::Path(path) => search.path(path)?,
                Source::Rust => {
                    for source in default_sources()? {
                        if let Source::Path(path) = source {
                            search.path(&path)?;
                        }
                    }
                }
            }
        }
        Ok(Self::from_documents(search.documents, search.skipped))
    }

    fn from_documents(mut documents: Vec<Document>, mut skipped: Skipped) -> Self {
        documents.sort_by(|a, b| a.name().cmp(b.name()));
        let mut seen: HashMap<u128, Vec<usize>> = HashMap::new();
        let mut kept: Vec<Document> = Vec::with_capacity(documents.len());
        for document in documents {
            let same_hash = seen.entry(document.hash()).or_default();
            if same_hash.iter().any(|&other| kept[other].bytes() == document.bytes()) {
                skipped.duplicates += 1;
            } else {
                same_hash.push(kept.len());
                kept.push(document);
            }
        }
        let split = split(&kept);
        Self { documents: kept, skipped, split }
    }

    /// Returns the texts, sorted by name.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Returns the total size of the texts in bytes.
    pub fn bytes(&self) -> usize {
        self.documents.iter().map(Document::len).sum()
    }

    /// Returns how many files were skipped.
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// Returns the parts for training and those held out for validation.
    pub fn split(&self) -> &Split {
        &self.split
    }

    /// Returns the text of one part.
    ///
    /// # Errors
    /// [`DataError::Changed`] when the file was changed since it was opened.
    pub fn text(&self, part: &Part) -> Result<&str, DataError> {
        let document = &self.documents[part.document];
        let changed = || DataError::Changed(document.name().into());
        document.text()?.get(part.range.clone()).ok_or_else(changed)
    }

    /// Returns the training texts, without the validation text.
    ///
    /// # Errors
    /// [`DataError::Changed`] when a file was changed since it was opened.
    pub fn training_texts(&self) -> Result<Vec<&str>, DataError> {
        self.split.train.iter().map(|part| self.text(part)).collect()
    }
}

/// Documents found so far.
#[derive(Default)]
struct Search {
    documents: Vec<Document>,
    skipped: Skipped,
    seen: HashSet<PathBuf>,
}

impl Search {
    /// Adds a file or a folder.
    fn path(&mut self, path: &Path) -> Result<(), DataError> {
        if path.is_dir() { self.folder(path) } else { self.file(path) }
    }

    /// Adds a file that was named as a source; it is an error if it is not text.
    fn file(&mut self, path: &Path) -> Result<(), DataError> {
        let document = Document::open(path)?;
        if self.is_new(path) {
            self.documents.push(document);
        }
        Ok(())
    }

    fn folder(&mut self, folder: &Path) -> Result<(), DataError> {
        fs::read_dir(folder).map_err(|source| not_readable(folder, source))?;
        let mut texts = 0_usize;
        let before = self.skipped;
        let entries = WalkDir::new(folder).follow_links(true).sort_by_file_name();
        for entry in entries.into_iter().filter_entry(|entry| entry.depth() == 0 || wanted(entry)) {
            let Ok(entry) = entry else {
                self.skipped.unreadable += 1;
                continue;
            };
            if !entry.file_type().is_file() {
                continue;
            }
            if !self.is_new(entry.path()) {
                texts += 1;
                continue;
            }
            match Document::open(entry.path()) {
                Ok(document) => {
                    texts += 1;
                    self.documents.push(document);
                }
                Err(DataError::Empty(_)) => self.skipped.empty += 1,
                Err(DataError::Binary { .. }) => self.skipped.binary += 1,
                Err(_) => self.skipped.unreadable += 1,
            }
        }
        if texts > 0 {
            return Ok(());
        }
        let now = self.skipped;
        let skipped = (now.binary - before.binary)
            + (now.empty - before.empty)
            + (now.unreadable - before.unreadable);
        Err(DataError::NoText { path: folder.into(), skipped })
    }

    /// Records the file and returns whether it is new, even under another name.
    fn is_new(&mut self, path: &Path) -> bool {
        let canonical = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        self.seen.insert(canonical)
    }
}

fn wanted(entry: &walkdir::DirEntry) -> bool {
    let hidden = entry.file_name().as_encoded_bytes().first() == Some(&b'.');
    let build = entry.file_type().is_dir() && entry.file_name() == OsStr::new("target");
    !hidden && !build
}

fn not_readable(path: &Path, source: io::Error) -> DataError {
    DataError::NotReadable { path: path.into(), source }
}
