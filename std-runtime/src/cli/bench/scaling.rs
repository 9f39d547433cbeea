//! `expe bench scaling`: how the time of each kind of work grows with the sizes of model and text.

use expe::bench::ScalingBenchmark;

use super::measure::MeasureArgs;
use super::shape::ShapeArgs;
use crate::cli::{CliError, interrupt};

/// Arguments of `expe bench scaling`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model; each series changes one of its sizes.
    #[command(flatten)]
    shape: ShapeArgs,
    /// Longest context: prompts and decoding are measured from 64 up to this length, training steps of one
    /// window as far as time and memory allow.
    #[arg(long, default_value_t = 16_384, value_name = "N", value_parser = clap::value_parser!(u32).range(64..=1 << 20))]
    longest: u32,
    /// Largest model width; the smallest is 64.
    #[arg(long, default_value_t = 512, value_name = "N", value_parser = clap::value_parser!(u32).range(64..=1 << 16))]
    widest: u32,
    /// How long to measure; the longest texts take more time.
    #[command(flatten)]
    measure: MeasureArgs,
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let mut base = args.shape.config("128x4")?;
    base.model.position = ShapeArgs::single_position(&args.shape.trained_positions(&base.model)?)?;
    let benchmark = ScalingBenchmark {
        base,
        longest: args.longest as usize,
        widest: args.widest as usize,
        plan: args.measure.plan(),
    };
    args.measure.show(&benchmark.run(stop)?)
}
