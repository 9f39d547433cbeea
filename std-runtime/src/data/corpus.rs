//! All texts that were named: found, checked, sorted, each once.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::split::{Part, Split, split};
use super::{DataError, Document, Source, default_sources, stories};

/// The texts to learn from, sorted by name, no content twice.
#[derive(Debug)]
pub struct Corpus {
    documents: Vec<Document>,
    passed_over: PassedOver,
    split: Split,
}

/// How many files were found and not used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// Files in a searched folder that hold a NUL or are not UTF-8.
    pub binary: usize,
    /// Files in a searched folder without a byte.
    pub empty: usize,
    /// Files in a searched folder that could not be opened, and links that lead nowhere or in a loop.
    pub unreadable: usize,
    /// Texts that are the same as another one, byte for byte.
    pub duplicates: usize,
}

impl Corpus {
    /// Open all sources.
    ///
    /// Folders are searched to the bottom; links are followed, but never in a loop. Hidden entries
    /// and folders named `target` inside them are not looked at. In a folder only text counts (UTF-8
    /// without NUL), and what is not text is passed over and counted. The result does not depend on
    /// the order of the sources.
    ///
    /// # Errors
    /// A [`DataError`] for a source that is not there, not readable, empty or not text, for a folder
    /// without text, and for no source at all.
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
        Ok(Self::from_documents(search.documents, search.passed_over))
    }

    fn from_documents(mut documents: Vec<Document>, mut passed_over: PassedOver) -> Self {
        documents.sort_by(|a, b| a.name().cmp(b.name()));
        let mut seen: HashMap<u128, Vec<usize>> = HashMap::new();
        let mut kept: Vec<Document> = Vec::with_capacity(documents.len());
        for document in documents {
            let alike = seen.entry(document.hash()).or_default();
            if alike.iter().any(|&other| kept[other].bytes() == document.bytes()) {
                passed_over.duplicates += 1;
            } else {
                alike.push(kept.len());
                kept.push(document);
            }
        }
        let split = split(&kept);
        Self { documents: kept, passed_over, split }
    }

    /// The texts, sorted by name.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Bytes of all texts together.
    pub fn bytes(&self) -> usize {
        self.documents.iter().map(Document::len).sum()
    }

    /// What was found and not used.
    pub fn passed_over(&self) -> PassedOver {
        self.passed_over
    }

    /// Which parts are for training and which are held out for validation.
    pub fn split(&self) -> &Split {
        &self.split
    }

    /// The text of one part.
    ///
    /// # Errors
    /// [`DataError::Changed`] where the file was changed since it was opened.
    pub fn text(&self, part: &Part) -> Result<&str, DataError> {
        let document = &self.documents[part.document];
        let changed = || DataError::Changed(document.name().into());
        document.text()?.get(part.range.clone()).ok_or_else(changed)
    }

    /// The training texts, for a tokenizer to learn from: nothing of the validation text is in them.
    ///
    /// # Errors
    /// [`DataError::Changed`] where a file was changed since it was opened.
    pub fn training_texts(&self) -> Result<Vec<&str>, DataError> {
        self.split.train.iter().map(|part| self.text(part)).collect()
    }
}

/// Documents found so far.
#[derive(Default)]
struct Search {
    documents: Vec<Document>,
    passed_over: PassedOver,
    seen: HashSet<PathBuf>,
}

impl Search {
    /// Take what was named: a file or a folder.
    fn path(&mut self, path: &Path) -> Result<(), DataError> {
        if path.is_dir() { self.folder(path) } else { self.file(path) }
    }

    /// Take a file that was named itself.
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
        let before = self.passed_over;
        let entries = WalkDir::new(folder).follow_links(true).sort_by_file_name();
        for entry in entries.into_iter().filter_entry(|entry| entry.depth() == 0 || wanted(entry)) {
            let Ok(entry) = entry else {
                self.passed_over.unreadable += 1;
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
                Err(DataError::Empty(_)) => self.passed_over.empty += 1,
                Err(DataError::Binary { .. }) => self.passed_over.binary += 1,
                Err(_) => self.passed_over.unreadable += 1,
            }
        }
        if texts > 0 {
            return Ok(());
        }
        let now = self.passed_over;
        let passed_over = (now.binary - before.binary)
            + (now.empty - before.empty)
            + (now.unreadable - before.unreadable);
        Err(DataError::NoText { path: folder.into(), passed_over })
    }

    /// Tell whether the file was not met before under another name.
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
