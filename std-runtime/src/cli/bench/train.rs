//! `expe bench train`: training steps.

use expe::bench::TrainBenchmark;
use expe::config::Precision;
use expe::device::ChosenDevice;

use super::measure::{MeasureArgs, ServeArgs};
use super::shape::ShapeArgs;
use crate::cli::device_arg::DeviceArg;
use crate::cli::values::precision;
use crate::cli::{CliError, interrupt};

/// Arguments of `expe bench train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model.
    #[command(flatten)]
    shape: ShapeArgs,
    /// Windows of the training length per step [default: from the configuration].
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Precision of matrix products with weights, f32 or mixed [default: from the configuration, f32].
    #[arg(long, value_name = "PRECISION", value_parser = precision)]
    precision: Option<Precision>,
    /// Number of threads, on the processor [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Also show the time of each operation, forward and backward, its share of the step, and the rate of its
    /// matrix products, measured in additional steps.
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

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let mut base = args.shape.config("context-64")?;
    base.train.batch = args.batch.unwrap_or(base.train.batch);
    base.train.precision = args.precision.unwrap_or(base.train.precision);
    let configs = args.shape.trained_positions(&base.model)?.into_iter().map(|(name, position)| {
        let mut config = base.clone();
        config.model.position = position;
        (name, config)
    });
    let configs = configs.collect();
    let device = args.device.settle()?;
    if args.profile && device != ChosenDevice::Cpu {
        return Err(CliError::ProfileOnGpu);
    }
    let benchmark = TrainBenchmark {
        configs,
        threads: args.threads.map_or_else(rayon::current_num_threads, usize::from),
        device,
        profile: args.profile,
        plan: args.measure.plan(),
    };
    match benchmark.run(&args.serve.timer(stop), stop)? {
        Some(report) => args.measure.show(&report),
        None => Ok(()),
    }
}
