//! `--data PATH…`: the text.

use expe::data::{Corpus, Source, default_sources};
use expe::report::bytes;

use super::CliError;

/// The sources of the text.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct DataArgs {
    /// Text files and folders. `stories:SEED:SIZE` (such as stories:1:2M) generates stories; `rust:` is
    /// the Rust sources that Cargo unpacked to build this program.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    data: Vec<Source>,
}

impl DataArgs {
    /// Returns whether `--data` was given.
    pub fn is_given(&self) -> bool {
        !self.data.is_empty()
    }

    /// Opens the text and prints a summary.
    ///
    /// # Errors
    /// [`CliError::Data`] when no text was given, and for sources that are not text.
    pub fn open(&self) -> Result<Corpus, CliError> {
        open(&self.data)
    }

    /// Opens the text, or without `--data` the Rust sources that Cargo unpacked to build this program.
    ///
    /// # Errors
    /// Same as [`open`](Self::open), and when there are no such sources.
    pub fn open_or_default(&self) -> Result<Corpus, CliError> {
        if self.is_given() {
            return self.open();
        }
        eprintln!(
            "no --data given: learning from the Rust sources that cargo unpacked to build expe"
        );
        open(&default_sources()?)
    }
}

fn open(sources: &[Source]) -> Result<Corpus, CliError> {
    let corpus = Corpus::open(sources)?;
    eprintln!("{}", summary(&corpus));
    Ok(corpus)
}

/// Describes the size of a corpus and the number of skipped files.
fn summary(corpus: &Corpus) -> String {
    let skipped = corpus.skipped();
    let mut text = format!(
        "text: {} in {} files, {} of them held out",
        bytes(corpus.bytes()),
        corpus.documents().len(),
        bytes(corpus.split().validation_bytes()),
    );
    for (count, what) in [
        (skipped.binary, "not text"),
        (skipped.empty, "empty"),
        (skipped.unreadable, "unreadable"),
        (skipped.duplicates, "duplicates"),
    ] {
        if count > 0 {
            text.push_str(&format!("; skipped {count} {what}"));
        }
    }
    text
}
