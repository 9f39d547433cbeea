//! What can be wrong with the text that was named.

use std::io;
use std::path::PathBuf;

/// Why a text source or a tokenizer cannot be used; every message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Nothing is at the path.
    #[error("{}: no such file or folder", .0.display())]
    NotFound(PathBuf),
    /// The path is there but cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    NotReadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file that was named holds no byte.
    #[error("{}: the file is empty; name a file with text in it", .0.display())]
    Empty(PathBuf),
    /// A file that was named is not text.
    #[error(
        "{}: not a text file (byte {offset} is {reason}); only UTF-8 text without NUL can be used",
        .path.display()
    )]
    Binary {
        /// The file.
        path: PathBuf,
        /// Offset of the first byte that is not text.
        offset: usize,
        /// `a NUL` or `not valid UTF-8`.
        reason: &'static str,
    },
    /// A folder was searched and no text was found.
    #[error(
        "{}: no text file found ({passed_over} files that are empty, unreadable or not UTF-8 text \
         were passed over; hidden folders and `target` are not searched)",
        .path.display()
    )]
    NoText {
        /// The folder.
        path: PathBuf,
        /// How many files it holds that are not text.
        passed_over: usize,
    },
    /// No source was named.
    #[error("no text was given")]
    NoSource,
    /// `stories:…` does not say which stories.
    #[error(
        "`{0}`: generated stories are named stories:SEED:SIZE, as in stories:1:200k or stories:7:2M"
    )]
    BadStories(String),
    /// Neither our own dependencies' sources nor anything else could be found.
    #[error(
        "found no Rust sources to learn from under {}",
        .0.display()
    )]
    NoDefaultSources(PathBuf),
    /// The text gives fewer tokens than one window needs.
    #[error(
        "the {part} text has {found} tokens, but one window of length {length} needs {needed}; \
         use more text or a shorter length"
    )]
    TooShort {
        /// `training` or `validation`.
        part: &'static str,
        /// Tokens that are there.
        found: usize,
        /// Tokens that are needed.
        needed: usize,
        /// Length of the window in predictions.
        length: usize,
    },
    /// A window of no tokens was asked for.
    #[error("a window needs a length of at least 1")]
    ZeroLength,
    /// A mapped file was changed by someone else since it was checked.
    #[error("{}: the file changed while it was in use; start again", .0.display())]
    Changed(PathBuf),
    /// A `tokenizer.json` that we cannot use.
    #[error("{}: {reason}", .path.display())]
    BadTokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Merges that make no tokenizer.
    #[error(transparent)]
    BadMerges(#[from] expe_core::token::MergeError),
    /// A tokenizer could not be trained.
    #[error("cannot train a tokenizer: {0}")]
    Training(String),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}
