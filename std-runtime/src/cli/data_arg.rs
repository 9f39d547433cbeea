//! `--data PATH…`: the text, and the tokenizer that is learned from it.

use super::CliError;
use super::text::bytes;
use crate::config::{RunConfig, TokenizerKind};
use crate::data::{Corpus, Source, Tokenizer, default_sources};

/// Where the text comes from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct DataArgs {
    /// Text files and folders; `stories:SEED:SIZE` (such as stories:1:2M) generates stories, `rust:` are
    /// the Rust sources that cargo unpacked to build this program.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    data: Vec<Source>,
}

impl DataArgs {
    /// Whether text was named.
    pub fn is_given(&self) -> bool {
        !self.data.is_empty()
    }

    /// Open the text that was named.
    ///
    /// # Errors
    /// [`CliError::Data`] for no text and for what is not text.
    pub fn open(&self) -> Result<Corpus, CliError> {
        let corpus = Corpus::open(&self.data)?;
        say_what_was_found(&corpus);
        Ok(corpus)
    }

    /// Open the text that was named, or else the Rust sources that cargo has unpacked to build this
    /// program.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when there are no such sources.
    pub fn open_or_default(&self) -> Result<Corpus, CliError> {
        if self.is_given() {
            return self.open();
        }
        eprintln!(
            "no --data given: learning from the Rust sources that cargo unpacked to build expe"
        );
        let corpus = Corpus::open(&default_sources()?)?;
        say_what_was_found(&corpus);
        Ok(corpus)
    }
}

fn say_what_was_found(corpus: &Corpus) {
    let passed = corpus.passed_over();
    let mut text = format!(
        "text: {} in {} files, {} of them held out",
        bytes(corpus.bytes()),
        corpus.documents().len(),
        bytes(corpus.split().validation_bytes()),
    );
    for (count, what) in [
        (passed.binary, "not text"),
        (passed.empty, "empty"),
        (passed.unreadable, "unreadable"),
        (passed.duplicates, "the same as another"),
    ] {
        if count > 0 {
            text.push_str(&format!("; passed over {count} {what}"));
        }
    }
    eprintln!("{text}");
}

/// The tokenizer that `config` asks for, learned from the training part of `corpus`; the vocabulary
/// of the model becomes the tokenizer's, which on little text can be smaller than was asked for.
///
/// # Errors
/// [`CliError::Data`].
pub fn tokenizer(config: &mut RunConfig, corpus: &Corpus) -> Result<Tokenizer, CliError> {
    let tokenizer = match config.data.tokenizer {
        TokenizerKind::Byte => Tokenizer::Byte,
        TokenizerKind::Bpe => Tokenizer::train_bpe(&corpus.training_texts()?, config.model.vocab)?,
    };
    use_vocabulary(config, &tokenizer);
    Ok(tokenizer)
}

/// Give the model of `config` the vocabulary of `tokenizer`.
pub fn use_vocabulary(config: &mut RunConfig, tokenizer: &Tokenizer) {
    let (asked, found) = (config.model.vocab, tokenizer.vocab_size());
    if asked != found {
        eprintln!("the tokenizer has {found} tokens, not {asked}; the model follows it");
        config.model.vocab = found;
    }
}
