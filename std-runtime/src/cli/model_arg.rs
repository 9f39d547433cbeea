//! `--model DIR|FILE`: a run folder or an `.expe` file.

use std::path::Path;

use expe_core::format::{Numbers, Storage};
use expe_core::internals::Random;
use expe_core::{Config, Model};

use super::CliError;
use super::device_arg::DeviceArg;
use crate::config::RunConfig;
use crate::data::{Corpus, Dataset, Tokenizer};
use crate::device::{Backend, ChosenDevice};
use crate::engine::{CacheChoice, EngineError, ModelFile, Sampling, generate};
use crate::export::{self, Scheme};
use crate::model::Transformer;
use crate::quantize::{Calibration, MatrixError, Quantised, quantise};
use crate::train::{self, TOKENIZER_FILE};

/// A trained model as the command line names it.
#[derive(Debug)]
pub enum ModelArg<D: Backend> {
    /// A run folder.
    Folder(Box<RunFolder<D>>),
    /// An `.expe` file.
    File(ModelFile),
}

/// What a run folder holds.
#[derive(Debug)]
pub struct RunFolder<D: Backend> {
    /// The configuration.
    pub config: RunConfig,
    /// The model with the lowest validation loss.
    pub model: Transformer<D>,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
}

/// Windows of calibration text, in multiples of the training length.
const CALIBRATION_LENGTH: usize = 4;

/// About `count` tokens that a model writes: several texts, each from another token.
fn write_text(model: &Model<'_>, count: usize) -> Result<Vec<u32>, CliError> {
    let Config { context, vocab, .. } = *model.config();
    let mut text = Vec::new();
    for seed in 0..count.div_ceil(context) as u64 {
        let first = Random::keyed(1, seed).below(vocab as u32);
        text.push(first);
        let sampling = Sampling { temperature: 1.0, top_k: 0, seed };
        generate(model, &[first], context - 1, sampling, CacheChoice::default(), |token| {
            text.push(token);
            true
        })?;
    }
    Ok(text)
}

/// What the model at `path` is computed on: a run folder's on the device that was asked for, that of a
/// file on the processor, where the core engine runs.
///
/// # Errors
/// [`CliError::Device`]; [`CliError::FileOnGpu`] when a GPU was asked for by name for a file.
pub fn model_device(path: &Path, device: &DeviceArg) -> Result<ChosenDevice, CliError> {
    if path.is_dir() {
        return device.settle();
    }
    if device.is_gpu() {
        return Err(CliError::FileOnGpu(path.to_owned()));
    }
    Ok(ChosenDevice::Cpu)
}

impl<D: Backend> ModelArg<D> {
    /// Open what `path` names, the model of a run folder on `device`.
    ///
    /// # Errors
    /// [`CliError`] when it is neither, or damaged.
    pub fn open(path: &Path, device: &D) -> Result<Self, CliError> {
        if path.is_dir() {
            Ok(Self::Folder(Box::new(RunFolder::open(path, device)?)))
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

impl<D: Backend> RunFolder<D> {
    /// Open the run folder at `path`, its model on `device`.
    ///
    /// # Errors
    /// [`CliError::NotAFolder`], [`CliError::Train`] or [`CliError::Data`] for a file that is missing or damaged,
    /// [`CliError::Vocabulary`] for a tokenizer that is not the model's.
    pub fn open(path: &Path, device: &D) -> Result<Self, CliError> {
        if path.is_file() {
            return Err(CliError::NotAFolder(path.to_owned()));
        }
        let (config, model) = train::load_model(path, device)?;
        let path = path.join(TOKENIZER_FILE);
        let tokenizer = Tokenizer::load(&path)?;
        let (tokens, model_tokens) = (tokenizer.vocab_size(), config.model.vocab);
        if tokens != model_tokens {
            return Err(CliError::Vocabulary { path, tokenizer: tokens, model: model_tokens });
        }
        Ok(Self { config, model, tokenizer })
    }

    /// The model as the bytes of an `.expe` file in a format of floats; `path` names it in messages.
    ///
    /// # Errors
    /// [`CliError::Export`].
    pub fn to_file(&self, path: &Path, numbers: Numbers) -> Result<ModelFile, CliError> {
        self.write(path, numbers.into(), None)
    }

    /// The model as the bytes of an `.expe` file in any format, and what rounding to integers did to
    /// it. `text` is what a format of integers is calibrated on, of which up to `tokens` tokens are
    /// read; without it the model writes the text itself.
    ///
    /// # Errors
    /// [`CliError::Export`], [`CliError::Data`] for too little text, [`CliError::Engine`].
    pub fn export(
        &self,
        path: &Path,
        scheme: Scheme,
        text: Option<&Corpus>,
        tokens: usize,
    ) -> Result<(ModelFile, Vec<MatrixError>), CliError> {
        if !scheme.layers().is_integer() {
            return Ok((self.to_file(path, scheme.layers())?, Vec::new()));
        }
        let exact = self.to_file(path, Numbers::F32)?;
        let model = exact.model()?;
        let text = match text {
            Some(corpus) => Dataset::encode(corpus, &self.tokenizer)?.train().to_vec(),
            None => write_text(&model, tokens)?,
        };
        // Longer than in training, if the encoding reaches so far.
        let config = &self.config.model;
        let longer = if config.position.needs_table() { 1 } else { CALIBRATION_LENGTH };
        let length = longer * config.context;
        let all: Vec<_> = text.chunks_exact(length.min(text.len()).max(1)).collect();
        let wanted = (tokens / length).max(1);
        let windows: Vec<_> =
            all.iter().step_by((all.len() / wanted).max(1)).take(wanted).copied().collect();
        let calibration = Calibration::new(&model, &windows)?;
        let tensors = self.model.weights.to_tensors();
        let storage = scheme.storage(calibration.residual_range());
        let quantised = quantise(&self.config.model, &tensors, &calibration, &storage)?;
        let file = self.write(path, storage, Some(&quantised))?;
        Ok((file, quantised.errors().to_vec()))
    }

    fn write(
        &self,
        path: &Path,
        storage: Storage,
        quantised: Option<&Quantised>,
    ) -> Result<ModelFile, CliError> {
        let mut bytes = Vec::new();
        let tensors = self.model.weights.to_tensors();
        let config = &self.config.model;
        export::write(config, &tensors, &self.tokenizer, storage, quantised, &mut bytes)?;
        let file = ModelFile::from_bytes(path, &bytes)?;
        // A file whose positions cannot be computed is of no use.
        file.model()?.position().map_err(EngineError::from)?;
        Ok(file)
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
