use std::path::Path;

use super::TOKENIZER_FILE;
use crate::config::{RunConfig, TokenizerKind};
use crate::data::{Corpus, DataError, Dataset, Tokenizer};

/// Encodes `corpus` with a new tokenizer of the kind in `config`, learned from the training part of the corpus.
///
/// Sets `config.model.vocab` to the size of the tokenizer, because a short text can yield fewer tokens than
/// requested.
///
/// # Errors
/// [`DataError::Training`] when the tokenizer cannot be learned, [`DataError::Changed`] when a file of the
/// corpus has changed since it was opened.
///
/// ```
/// use expe::config::preset;
/// use expe::data::Corpus;
/// use expe::train::new_dataset;
///
/// let corpus = Corpus::open(&["stories:1:20k".parse()?])?;
/// let mut config = preset("quick")?;
/// let data = new_dataset(&mut config, &corpus)?;
/// assert_eq!(config.model.vocab, data.tokenizer().vocab_size());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn new_dataset(config: &mut RunConfig, corpus: &Corpus) -> Result<Dataset, DataError> {
    let tokenizer = match config.data.tokenizer {
        TokenizerKind::Byte => Tokenizer::Byte,
        TokenizerKind::Bpe => Tokenizer::train_bpe(&corpus.training_texts()?, config.model.vocab)?,
    };
    encode(config, corpus, &tokenizer)
}

/// Encodes `corpus` with the tokenizer of the run in `folder`, and sets `config.model.vocab` to its size.
///
/// # Errors
/// [`DataError`] for a tokenizer that is missing or damaged, and [`DataError::Changed`] as in
/// [`new_dataset`].
pub fn stored_dataset(
    config: &mut RunConfig,
    corpus: &Corpus,
    folder: &Path,
) -> Result<Dataset, DataError> {
    encode(config, corpus, &Tokenizer::load(&folder.join(TOKENIZER_FILE))?)
}

fn encode(
    config: &mut RunConfig,
    corpus: &Corpus,
    tokenizer: &Tokenizer,
) -> Result<Dataset, DataError> {
    config.model.vocab = tokenizer.vocab_size();
    Dataset::encode(corpus, tokenizer)
}
