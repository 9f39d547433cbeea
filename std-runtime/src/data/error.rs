//! Errors of text sources and tokenizers.

use std::io;
use std::path::PathBuf;

/// Why a text source or a tokenizer cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The path does not exist.
    #[error("{}: no such file or folder", .0.display())]
    NotFound(PathBuf),
    /// The file or folder cannot be read.
    #[error("{}: cannot be read: {source}", .path.display())]
    NotReadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A source is an empty file.
    #[error("{}: the file is empty", .0.display())]
    Empty(PathBuf),
    /// A source is a file that is not text.
    #[error(
        "{}: not a text file (byte {offset} is {reason}); only UTF-8 text without NUL is supported",
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
    /// A folder contains no text.
    #[error(
        "{}: no text file found ({skipped} files that are empty, unreadable or not UTF-8 text were \
         skipped; hidden folders and `target` are not searched)",
        .path.display()
    )]
    NoText {
        /// The folder.
        path: PathBuf,
        /// Number of files in it that are not text.
        skipped: usize,
    },
    /// The list of sources is empty.
    #[error("no text source was given")]
    NoSource,
    /// `stories:…` has no valid seed or size.
    #[error(
        "`{0}`: generated stories are written stories:SEED:SIZE, as in stories:1:200k or stories:7:2M"
    )]
    BadStories(String),
    /// The sources of the dependencies are not on this machine.
    #[error(
        "found no Rust sources to learn from under {}",
        .0.display()
    )]
    NoDefaultSources(PathBuf),
    /// The text has fewer tokens than one window.
    #[error(
        "the {part} text has {found} tokens, but one window of length {length} needs {needed}; \
         use more text or a shorter length"
    )]
    TooShort {
        /// `training` or `validation`.
        part: &'static str,
        /// Number of tokens in the text.
        found: usize,
        /// Number of tokens needed.
        needed: usize,
        /// Length of the window, in predicted tokens.
        length: usize,
    },
    /// A window of length 0 was requested.
    #[error("a window needs a length of at least 1")]
    ZeroLength,
    /// A memory-mapped file has changed since it was checked.
    #[error("{}: the file was changed while it was in use; run again", .0.display())]
    Changed(PathBuf),
    /// A `tokenizer.json` describes an unsupported tokenizer, or is damaged.
    #[error("{}: {reason}", .path.display())]
    BadTokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The merges do not form a tokenizer.
    #[error(transparent)]
    BadMerges(#[from] expe_core::internals::MergeError),
    /// A tokenizer cannot be trained.
    #[error("cannot train a tokenizer: {0}")]
    Training(String),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}
