//! `--config`, `--preset` and `--steps`: the training configuration.

use std::path::PathBuf;

use expe::config::{RunConfig, preset};

use super::CliError;

/// The source of a training configuration.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConfigArgs {
    /// A configuration file, such as the `config.toml` of a run folder.
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// A built-in configuration: context-64 (the default), demo, quick or stories.
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Number of training steps, instead of that in the configuration; warm-up and validation interval are scaled
    /// in proportion.
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
}

impl ConfigArgs {
    /// Returns the requested configuration, or `None` if none was named.
    ///
    /// # Errors
    /// [`CliError::Preset`] or [`CliError::ConfigFile`].
    pub fn named(&self) -> Result<Option<RunConfig>, CliError> {
        let config = match (&self.config, &self.preset) {
            (Some(path), _) => RunConfig::load(path)?,
            (None, Some(name)) => preset(name)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(self.apply_steps(config)))
    }

    /// Returns the requested configuration, or the preset `default` if none was named.
    ///
    /// # Errors
    /// Same as [`named`](Self::named).
    pub fn named_or(&self, default: &str) -> Result<RunConfig, CliError> {
        match self.named()? {
            Some(config) => Ok(config),
            None => Ok(self.apply_steps(preset(default)?)),
        }
    }

    fn apply_steps(&self, config: RunConfig) -> RunConfig {
        match self.steps {
            Some(steps) => config.with_steps(steps),
            None => config,
        }
    }
}

/// Prints a note if the tokenizer learned from the text does not have `requested` tokens.
pub fn note_vocabulary(requested: usize, config: &RunConfig) {
    let found = config.model.vocab;
    if found != requested {
        eprintln!("the tokenizer has {found} tokens, not {requested}; the model uses this size");
    }
}
