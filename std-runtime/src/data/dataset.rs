//! Token streams for training and validation.

use xxhash_rust::xxh3::Xxh3;

use super::split::Part;
use super::{Corpus, DataError, Tokenizer};

/// The tokens of a corpus: one stream for training and one for validation.
#[derive(Debug, Clone)]
pub struct Dataset {
    tokenizer: Tokenizer,
    train: Vec<u32>,
    validation: Vec<u32>,
}

/// Separator between two texts of a stream.
const BETWEEN_TEXTS: &str = "\n\n";

impl Dataset {
    /// Encodes a corpus; the texts of a stream are separated by a blank line.
    ///
    /// # Errors
    /// [`DataError::Changed`] when a file was changed since it was opened.
    ///
    /// ```
    /// use expe::data::{Corpus, Dataset, Source, Tokenizer};
    /// let corpus = Corpus::open(&["stories:1:20k".parse::<Source>()?])?;
    /// let data = Dataset::encode(&corpus, &Tokenizer::Byte)?;
    /// assert_eq!(data.train().len() + data.validation().len(), corpus.bytes());
    /// # Ok::<(), expe::data::DataError>(())
    /// ```
    pub fn encode(corpus: &Corpus, tokenizer: &Tokenizer) -> Result<Self, DataError> {
        Ok(Self {
            tokenizer: tokenizer.clone(),
            train: stream(corpus, &corpus.split().train, tokenizer)?,
            validation: stream(corpus, &corpus.split().validation, tokenizer)?,
        })
    }

    /// Returns the tokenizer of the tokens.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Returns the training tokens.
    pub fn train(&self) -> &[u32] {
        &self.train
    }

    /// Returns the held-out tokens.
    pub fn validation(&self) -> &[u32] {
        &self.validation
    }

    /// Concatenates both streams, training first; useful for a model that was trained on other text.
    pub fn into_whole(mut self) -> Vec<u32> {
        self.train.append(&mut self.validation);
        self.train
    }

    /// Returns a hash of both streams. A resumed run uses it to detect that the text has changed.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        for stream in [&self.train, &self.validation] {
            hash.update(&(stream.len() as u64).to_le_bytes());
            for token in stream {
                hash.update(&token.to_le_bytes());
            }
        }
        hash.digest()
    }
}

fn stream(corpus: &Corpus, parts: &[Part], tokenizer: &Tokenizer) -> Result<Vec<u32>, DataError> {
    let mut texts = Vec::new();
    for part in parts {
        if !texts.is_empty() {
            texts.push(BETWEEN_TEXTS.as_bytes());
        }
        texts.push(corpus.text(part)?.as_bytes());
    }
    Ok(tokenizer.encode_texts(texts))
}
