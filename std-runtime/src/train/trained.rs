use std::path::Path;

use super::{TOKENIZER_FILE, TrainError, load_model};
use crate::config::RunConfig;
use crate::data::Tokenizer;
use crate::device::Cpu;
use crate::model::{ModelError, Transformer};
use crate::ops::Backend;

/// The trained model in a run folder, with its configuration and its tokenizer.
#[derive(Debug)]
pub struct TrainedModel<D: Backend = Cpu> {
    /// The configuration of the run.
    pub config: RunConfig,
    /// The parameters with the lowest validation loss.
    pub model: Transformer<D>,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
}

impl<D: Backend> TrainedModel<D> {
    /// Opens the run folder at `folder`, with the model on `device`.
    ///
    /// # Errors
    /// - [`TrainError::NotAFolder`] for a file;
    /// - [`TrainError::ConfigFile`], [`TrainError::File`], [`TrainError::Io`] or [`TrainError::Data`] for a
    ///   file of the folder that is missing or damaged;
    /// - [`TrainError::Vocabulary`] for the tokenizer of another model.
    pub fn open(folder: &Path, device: &D) -> Result<Self, TrainError> {
        if folder.is_file() {
            return Err(TrainError::NotAFolder { path: folder.to_owned() });
        }
        let (config, model) = load_model(folder, device)?;
        let path = folder.join(TOKENIZER_FILE);
        let tokenizer = Tokenizer::load(&path)?;
        let (tokens, expected) = (tokenizer.vocab_size(), config.model.vocab);
        if tokens != expected {
            return Err(TrainError::Vocabulary { path, tokenizer: tokens, model: expected });
        }
        Ok(Self { config, model, tokenizer })
    }

    /// Computes the logits that follow each of `tokens`, which start at position 0: `[tokens.len()][vocab]`.
    ///
    /// # Errors
    /// [`ModelError`] for a token outside the vocabulary, for more tokens than the position encoding
    /// supports, and when the device runs out of memory.
    pub fn logits(&self, tokens: &[u32]) -> Result<Vec<Vec<f32>>, ModelError> {
        let logits = self.model.logits(tokens, 1)?;
        Ok(logits.chunks(self.config.model.vocab).map(<[f32]>::to_vec).collect())
    }
}
