//! `expe bench train`: training steps.

use std::sync::atomic::AtomicBool;

use super::measure::{MeasureArgs, ServeArgs};
use super::shape::ShapeArgs;
use crate::bench::{
    BenchError, Candidate, Report, Row, Times, Training, matmul_rate, profile, random_tokens,
    step_flops,
};
use crate::cli::device_arg::DeviceArg;
use crate::cli::train::precision;
use crate::cli::{CliError, interrupt};
use crate::config::RunConfig;
use crate::device::{ChosenDevice, Cpu, OnDevice};
use crate::ops::Precision;
use crate::train::TrainingDevice;

/// Arguments of `expe bench train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model.
    #[command(flatten)]
    shape: ShapeArgs,
    /// Windows of the training length in a step [default: the configuration's].
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Numbers that matrix products are computed with, f32 or mixed [default: the configuration's, f32].
    #[arg(long, value_name = "NUMBERS", value_parser = precision)]
    precision: Option<Precision>,
    /// Threads, for the processor [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Show where the time of a step goes as well: each operation, forward and backward, its share, and the
    /// rate of its matrix products. Measured in steps of their own after the others.
    #[arg(long, conflicts_with = "serve")]
    profile: bool,
    /// The device.
    #[command(flatten)]
    device: DeviceArg,
    /// How long to measure.
    #[command(flatten)]
    measure: MeasureArgs,
    /// Who measures.
    #[command(flatten)]
    serve: ServeArgs,
}

/// Run the command.
///
/// # Errors
/// [`CliError`].
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let threads = args.threads.map_or_else(rayon::current_num_threads, usize::from);
    let mut base = args.shape.config("context-64")?;
    base.train.batch = args.batch.unwrap_or(base.train.batch);
    base.train.precision = args.precision.unwrap_or(base.train.precision);
    let mut configs = Vec::new();
    for (name, position) in args.shape.trained_positions(&base.model)? {
        let mut config = base.clone();
        config.model.position = position;
        config.check().map_err(BenchError::from)?;
        configs.push((name, config));
    }
    let tokens = random_tokens(&base);
    let device = args.device.settle()?;
    if args.profile && device != ChosenDevice::Cpu {
        return Err(CliError::ProfileOnGpu);
    }
    let work = Work { args, configs: &configs, tokens: &tokens, threads, stop };
    let Some(times) = device.run(work)? else { return Ok(()) };
    // Before there are matrices for anything else.
    let mut report = Report::new("train");
    if device != ChosenDevice::Cpu {
        report.device = Some(device.to_string());
    }
    let matmul_rate = match device {
        ChosenDevice::Cpu => Some(matmul_rate(threads, args.measure.aside())?),
        #[cfg(feature = "cuda")]
        ChosenDevice::Cuda(_) => None,
    };
    let profiled = |config| match args.profile {
        true => {
            let mut training = Training::new(config, &tokens, threads, &Cpu::default())?;
            profile(&mut training, args.measure.profile(), stop)
        }
        false => Ok(Vec::new()),
    };
    let rows = configs.iter().zip(&times).map(|((name, config), measured)| {
        let flops = step_flops(&config.model, config.train.batch * config.train.accumulate);
        let row = Row::of("train", &config.model, measured, &times[0]);
        Ok(Row {
            candidate: name.clone(),
            numbers: config.train.precision.name().to_owned(),
            threads,
            tokens: config.tokens_per_step() as usize,
            flops,
            matmul_share: matmul_rate.map(|rate| flops / row.seconds.median / rate),
            profile: profiled(config)?,
            ..row
        })
    });
    let rows = rows.collect::<Result<_, BenchError>>()?;
    args.measure.show(&Report { matmul_rate, rows, ..report })
}

/// The measurement, for any device; `None` when another program timed it.
struct Work<'a> {
    args: &'a Args,
    configs: &'a [(String, RunConfig)],
    tokens: &'a [u32],
    threads: usize,
    stop: &'a AtomicBool,
}

impl OnDevice for Work<'_> {
    type Output = Option<Vec<Times>>;
    type Error = CliError;

    fn run<D: TrainingDevice>(self, device: &D) -> Result<Self::Output, CliError> {
        let Self { args, configs, tokens, threads, stop } = self;
        let candidates = configs
            .iter()
            .map(|(_, config)| {
                let training = Training::new(config, tokens, threads, device)?;
                Ok(Box::new(training) as Box<dyn Candidate>)
            })
            .collect::<Result<_, BenchError>>()?;
        args.serve.times(candidates, &args.measure, stop)
    }
}
