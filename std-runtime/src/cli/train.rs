//! `expe train`: train one model.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use expe::config::Precision;
use expe::config::{PRESETS, PositionSpec, RunConfig};
use expe::data::Dataset;
use expe::train::{
    self, CONFIG_FILE, Ending, OnDevice, Outcome, TRAINER_FILE, TrainError, TrainingDevice,
    new_dataset, stored_dataset,
};

use super::config_arg::{ConfigArgs, note_vocabulary};
use super::data_arg::DataArgs;
use super::device_arg::DeviceArg;
use super::progress::{Progress, Task};
use super::values::precision;
use super::{CliError, interrupt};

/// Arguments of `expe train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The training configuration.
    #[command(flatten)]
    config: ConfigArgs,
    /// The sources of the text.
    #[command(flatten)]
    data: DataArgs,
    /// The run folder to write.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Position encoding: NAME[:KEY=VALUE]…, such as expe, rope or expe:start=0:step=1/8
    /// [default: from the configuration].
    #[arg(long, value_name = "NAME")]
    position: Option<String>,
    /// Seed of initial parameters, windows and dropout [default: from the configuration].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Precision of matrix products with weights: f32, or mixed for f16 operands, which is meant for GPUs and
    /// slower on the processor [default: from the configuration, f32].
    #[arg(long, value_name = "PRECISION", value_parser = precision)]
    precision: Option<Precision>,
    /// The device.
    #[command(flatten)]
    device: DeviceArg,
    /// Continue the run in the folder if there is one.
    #[arg(long)]
    resume: bool,
}

/// Runs the command.
///
/// # Errors
/// Returns a [`CliError`]. Saved checkpoints remain, and `--resume` continues from the last one.
pub fn run(args: &Args) -> Result<(), CliError> {
    let device = args.device.settle()?;
    let stop = interrupt::catch()?;
    let started = args.out.join(TRAINER_FILE).exists();
    if started && !args.resume {
        return Err(TrainError::Exists { folder: args.out.clone() }.into());
    }
    let mut config = configuration(args, started)?;
    let corpus = args.data.open()?;
    let vocab = config.model.vocab;
    let data = if started {
        stored_dataset(&mut config, &corpus, &args.out)?
    } else {
        new_dataset(&mut config, &corpus)?
    };
    note_vocabulary(vocab, &config);
    config.check().map_err(TrainError::from)?;
    eprintln!("{} tokens to train on, {} held out", data.train().len(), data.validation().len());

    let mut task = Progress::new().task(config.model.position.name(), config.train.steps);
    let training = Training { args, config: &config, data: &data, stop, task: &mut task };
    let outcome = device.run(training)?;
    let best = outcome.best.map_or(String::new(), |best| {
        format!("best validation loss {:.4} nats per token at step {}, ", best.loss, best.step)
    });
    task.finish(&format!("{best}{:.0} tokens/s", outcome.tokens_per_second));
    if outcome.ending == Ending::Interrupted {
        let resume = format!("saved at step {}; add --resume to continue", outcome.step);
        return Err(CliError::Interrupted { resume: Some(resume) });
    }
    let folder = args.out.display();
    eprintln!(
        "the model is in {folder} ({CONFIG_FILE} describes it)\n\
         next: expe eval --model {folder} --data …   or   expe export --model {folder} --numbers f16 --out model.expe"
    );
    Ok(())
}

/// Returns the configuration of the run: the requested one, that of the folder to resume, or the default preset, each
/// with the changes that flags make.
fn configuration(args: &Args, started: bool) -> Result<RunConfig, CliError> {
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
    config.train.seed = args.seed.unwrap_or(config.train.seed);
    config.train.precision = args.precision.unwrap_or(config.train.precision);
    Ok(config)
}

/// A training run on a device of any type.
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

/// Describes a training step in a few words.
pub fn describe(now: &train::Progress) -> String {
    let best = now.best.map_or(String::new(), |best| format!(", best {:.3}", best.loss));
    format!("loss {:.3}{best}, {:.0} tokens/s", now.loss, now.tokens_per_second)
}
