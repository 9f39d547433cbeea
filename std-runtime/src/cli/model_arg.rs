//! `--model DIR|FILE`: a run folder or an `.expe` file.

use std::path::Path;

use expe_core::format::Numbers;

use super::CliError;
use crate::config::RunConfig;
use crate::data::Tokenizer;
use crate::device::Cpu;
use crate::engine::ModelFile;
use crate::export;
use crate::model::Transformer;
use crate::train::{self, TOKENIZER_FILE};

/// A trained model as the command line names it.
#[derive(Debug)]
pub enum ModelArg {
    /// A run folder.
    Folder(Box<RunFolder>),
    /// An `.expe` file.
    File(ModelFile),
}

/// What a run folder holds.
#[derive(Debug)]
pub struct RunFolder {
    /// The configuration.
    pub config: RunConfig,
    /// The model with the lowest validation loss.
    pub model: Transformer<Cpu>,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
}

impl ModelArg {
    /// Open what `path` names.
    ///
    /// # Errors
    /// [`CliError`] when it is neither, or damaged.
    pub fn open(path: &Path) -> Result<Self, CliError> {
        if path.is_dir() {
            Ok(Self::Folder(Box::new(RunFolder::open(path)?)))
        } else {
            Ok(Self::File(ModelFile::open(path)?))
        }
    }

    /// The model as a file for the core engine; a run folder is exported to memory in `f32`.
    ///
    /// # Errors
    /// [`CliError::Export`] for a model that does not fit into the format.
    pub fn into_file(self, path: &Path) -> Result<ModelFile, CliError> {
        match self {
            Self::File(file) => Ok(file),
            Self::Folder(folder) => folder.to_file(path, Numbers::F32),
        }
    }
}

impl RunFolder {
    /// Open the run folder at `path`.
    ///
    /// # Errors
    /// [`CliError::Train`] or [`CliError::Data`] for a file that is missing or damaged,
    /// [`CliError::Vocabulary`] for a tokenizer that is not the model's.
    pub fn open(path: &Path) -> Result<Self, CliError> {
        let (config, model) = train::load_model(path, &Cpu::default())?;
        let path = path.join(TOKENIZER_FILE);
        let tokenizer = Tokenizer::load(&path)?;
        let (tokens, model_tokens) = (tokenizer.vocab_size(), config.model.vocab);
        if tokens != model_tokens {
            return Err(CliError::Vocabulary { path, tokenizer: tokens, model: model_tokens });
        }
        Ok(Self { config, model, tokenizer })
    }

    /// The model as the bytes of an `.expe` file; `path` names it in messages.
    ///
    /// # Errors
    /// [`CliError::Export`].
    pub fn to_file(&self, path: &Path, numbers: Numbers) -> Result<ModelFile, CliError> {
        let mut bytes = Vec::new();
        let tensors = self.model.weights.to_tensors();
        export::write(&self.config.model, &tensors, &self.tokenizer, numbers, &mut bytes)?;
        Ok(ModelFile::from_bytes(path, &bytes)?)
    }

    /// The dfdx model's logits of every position of `tokens`.
    ///
    /// # Errors
    /// [`CliError::Model`].
    pub fn logits(&self, tokens: &[u32]) -> Result<Vec<Vec<f32>>, CliError> {
        let logits = self.model.logits(tokens, 1)?;
        Ok(logits.chunks(self.config.model.vocab).map(<[f32]>::to_vec).collect())
    }
}
