//! `expe bench positions`: the cost of each position encoding.

use expe::bench::PositionsBenchmark;

use super::measure::MeasureArgs;
use super::shape::ShapeArgs;
use crate::cli::{CliError, interrupt};

/// Arguments of `expe bench positions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model; for training, the vocabulary is at most 512 and windows have the length --context, by
    /// default at most 128.
    #[command(flatten)]
    shape: ShapeArgs,
    /// Number of keys that a query attends to, and of tokens in a prompt.
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    keys: u32,
    /// Number of threads for training [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// How long to measure.
    #[command(flatten)]
    measure: MeasureArgs,
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let base = args.shape.config("15m")?;
    let positions = match args.shape.position.is_empty() {
        true => Vec::new(),
        false => args.shape.trained_positions(&base.model)?,
    };
    let benchmark = PositionsBenchmark {
        base,
        positions,
        keys: args.keys,
        window: args.shape.context,
        threads: args.threads.map_or_else(rayon::current_num_threads, usize::from),
        plan: args.measure.plan(),
    };
    args.measure.show(&benchmark.run(stop)?)
}
