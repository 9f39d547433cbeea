//! `expe train`: train one model.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::data_arg::{DataArgs, tokenizer, use_vocabulary};
use super::device_arg::DeviceArg;
use super::progress::{Progress, Task};
use super::{CliError, interrupt};
use crate::compare::PositionSpec;
use crate::config::{PRESETS, RunConfig, preset};
use crate::data::{Dataset, Tokenizer};
use crate::device::OnDevice;
use crate::ops::Precision;
use crate::train::{
    self, CONFIG_FILE, Ending, Outcome, TOKENIZER_FILE, TRAINER_FILE, TrainError, TrainingDevice,
};

/// Arguments of `expe train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What and how to train.
    #[command(flatten)]
    config: ConfigArgs,
    /// Where the text comes from.
    #[command(flatten)]
    data: DataArgs,
    /// The run folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Position encoding: NAME[:KEY=VALUE]…, such as expe, rope or expe:start=0:step=1/8
    /// [default: the configuration's].
    #[arg(long, value_name = "NAME")]
    position: Option<String>,
    /// Seed of everything random [default: the configuration's].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Numbers of products with weights: f32, or mixed for factors of f16, made for GPUs and slower on a
    /// processor [default: the configuration's, f32].
    #[arg(long, value_name = "NUMBERS", value_parser = precision)]
    precision: Option<Precision>,
    /// The device.
    #[command(flatten)]
    device: DeviceArg,
    /// Go on with the run in the folder, if there is one.
    #[arg(long)]
    resume: bool,
}

/// Where a configuration comes from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConfigArgs {
    /// A configuration file (a `config.toml` of a run folder is one).
    #[arg(long, value_name = "FILE", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// A built-in configuration: context-64 (the default), demo, quick, stories.
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Training steps, in place of the configuration's; warm-up and validations follow.
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
}

impl ConfigArgs {
    /// The configuration that was asked for; `None` if none was named.
    ///
    /// # Errors
    /// [`CliError`] for an unknown preset and for a file that is none.
    pub fn named(&self) -> Result<Option<RunConfig>, CliError> {
        let config = match (&self.config, &self.preset) {
            (Some(path), _) => read_config(path)?,
            (None, Some(name)) => preset(name)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(self.shortened(config)))
    }

    /// The configuration that was asked for, or else the preset `default`.
    ///
    /// # Errors
    /// As [`named`](Self::named).
    pub fn named_or(&self, default: &str) -> Result<RunConfig, CliError> {
        match self.named()? {
            Some(config) => Ok(config),
            None => Ok(self.shortened(preset(default)?)),
        }
    }

    fn shortened(&self, mut config: RunConfig) -> RunConfig {
        if let Some(steps) = self.steps {
            let train = &mut config.train;
            let share = |part: u64| {
                let part = u128::from(part) * u128::from(steps) / u128::from(train.steps.max(1));
                u64::try_from(part).unwrap_or(u64::MAX)
            };
            (train.warmup, train.validate_every) =
                (share(train.warmup), share(train.validate_every).max(1));
            train.steps = steps;
        }
        config
    }
}

/// The value of `--precision`.
///
/// # Errors
/// The names that are known, for another one.
pub fn precision(name: &str) -> Result<Precision, String> {
    let found = Precision::ALL.into_iter().find(|precision| precision.name() == name);
    found.ok_or_else(|| format!("known are {}", Precision::ALL.map(Precision::name).join(" and ")))
}

/// Read a configuration file.
///
/// # Errors
/// [`CliError::Read`] or [`CliError::ConfigFile`].
pub fn read_config(path: &Path) -> Result<RunConfig, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    RunConfig::from_toml(&text)
        .map_err(|source| CliError::ConfigFile { path: path.to_owned(), source })
}

/// Run the command.
///
/// # Errors
/// [`CliError`]; what was saved stays, and `--resume` goes on from there.
pub fn run(args: &Args) -> Result<(), CliError> {
    let device = args.device.settle()?;
    let stop = interrupt::catch()?;
    let started = args.out.join(TRAINER_FILE).exists();
    if started && !args.resume {
        return Err(TrainError::Exists { folder: args.out.clone() }.into());
    }
    let mut config = match args.config.named()? {
        Some(config) => config,
        None if started => train::read_config(&args.out)?,
        None => args.config.named_or(PRESETS[0].0)?,
    };
    if let Some(spec) = &args.position {
        if spec.contains('@') {
            return Err(CliError::EvaluationOnly { spec: spec.clone() });
        }
        let model = &mut config.model;
        model.position = PositionSpec::parse(spec, model.width, model.context)?.evaluated;
    }
    if let Some(seed) = args.seed {
        config.train.seed = seed;
    }
    if let Some(precision) = args.precision {
        config.train.precision = precision;
    }
    let corpus = args.data.open()?;
    let tokenizer = if started {
        let tokenizer = Tokenizer::load(&args.out.join(TOKENIZER_FILE))?;
        use_vocabulary(&mut config, &tokenizer);
        tokenizer
    } else {
        tokenizer(&mut config, &corpus)?
    };
    config.check().map_err(TrainError::from)?;
    let data = Dataset::encode(&corpus, &tokenizer)?;
    eprintln!("{} tokens to train on, {} held out", data.train().len(), data.validation().len());

    let mut task = Progress::new().task(config.model.position.name(), config.train.steps);
    let training = Training { args, config: &config, data: &data, stop, task: &mut task };
    let outcome = device.run(training)?;
    let best = outcome.best.map_or(String::new(), |best| {
        format!("best validation loss {:.4} nats per token at step {}, ", best.loss, best.step)
    });
    task.finish(&format!("{best}{:.0} tokens/s", outcome.tokens_per_second));
    let folder = args.out.display();
    if outcome.ending == Ending::Interrupted {
        let resume = format!("saved at step {}; add --resume to go on", outcome.step);
        return Err(CliError::Interrupted { resume: Some(resume) });
    }
    eprintln!(
        "the model is in {folder} ({CONFIG_FILE} describes it)\n\
         next: expe eval --model {folder} --data …   or   expe export --model {folder} --numbers f16 --out model.expe"
    );
    Ok(())
}

/// Training, for any device.
struct Training<'a> {
    args: &'a Args,
    config: &'a RunConfig,
    data: &'a Dataset,
    stop: &'a AtomicBool,
    task: &'a mut Task,
}

impl OnDevice for Training<'_> {
    type Output = Outcome;
    type Error = CliError;

    fn run<D: TrainingDevice>(self, device: &D) -> Result<Outcome, CliError> {
        let Self { args, config, data, stop, task } = self;
        let mut show = |now: &train::Progress| task.update(now.step, || describe(now));
        Ok(train::run(device, config, data, &args.out, args.resume, stop, &mut show)?)
    }
}

/// A step in a few words.
pub fn describe(now: &train::Progress) -> String {
    let best = now.best.map_or(String::new(), |best| format!(", best {:.3}", best.loss));
    format!("loss {:.3}{best}, {:.0} tokens/s", now.loss, now.tokens_per_second)
}
