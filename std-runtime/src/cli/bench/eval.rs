//! `expe bench eval`: perplexity at multiples of the training length.

use expe::bench::EvalBenchmark;
use expe::export::Scheme;
use expe_core::Config;

use super::measure::MeasureArgs;
use super::shape::ShapeArgs;
use crate::cli::values::scheme;
use crate::cli::{CliError, interrupt};

/// Arguments of `expe bench eval`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model.
    #[command(flatten)]
    shape: ShapeArgs,
    /// Lengths in multiples of the training length, each a power of two.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,2,4,8,16", value_parser = factor)]
    lengths: Vec<usize>,
    /// Number format and arithmetic of the model.
    #[arg(long, value_parser = scheme(), default_value = "f32", value_name = "FORMAT")]
    numbers: Scheme,
    /// How long to measure.
    #[command(flatten)]
    measure: MeasureArgs,
}

/// Parses a power of two, so that each factor divides every larger one.
fn factor(text: &str) -> Result<usize, String> {
    let factor: usize = text.parse().map_err(|_| "not a whole number".to_owned())?;
    if factor.is_power_of_two() && factor <= 1 << 16 {
        Ok(factor)
    } else {
        Err("not a power of two from 1 to 65536".to_owned())
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let base = args.shape.config("128x4")?;
    let position = ShapeArgs::single_position(&args.shape.positions(&base.model)?)?;
    let benchmark = EvalBenchmark {
        config: Config { position, ..base.model },
        factors: args.lengths.clone(),
        scheme: args.numbers,
        plan: args.measure.plan(),
    };
    args.measure.show(&benchmark.run(stop)?)
}
