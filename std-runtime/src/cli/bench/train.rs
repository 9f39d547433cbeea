//! `expe bench train`: training steps.

use super::measure::{MeasureArgs, ServeArgs};
use super::shape::ShapeArgs;
use crate::bench::{
    BenchError, Candidate, Report, Row, Training, matmul_rate, profile, random_tokens, step_flops,
};
use crate::cli::{CliError, interrupt};

/// Arguments of `expe bench train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model.
    #[command(flatten)]
    shape: ShapeArgs,
    /// Windows of the training length in a step [default: the configuration's].
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Threads [default: all].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Show where the time of a step goes as well: each operation, forward and backward, its share, and the
    /// rate of its matrix products. Measured in steps of their own after the others.
    #[arg(long, conflicts_with = "serve")]
    profile: bool,
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
    let mut configs = Vec::new();
    for (name, position) in args.shape.positions(&base.model)? {
        if name.contains('@') {
            return Err(CliError::EvaluationOnly { spec: name });
        }
        let mut config = base.clone();
        config.model.position = position;
        config.check().map_err(BenchError::from)?;
        configs.push((name, config));
    }
    let tokens = random_tokens(&base);
    let candidates = configs
        .iter()
        .map(|(_, config)| {
            Ok(Box::new(Training::new(config, &tokens, threads)?) as Box<dyn Candidate>)
        })
        .collect::<Result<_, BenchError>>()?;
    let Some(times) = args.serve.times(candidates, &args.measure, stop)? else {
        return Ok(());
    };
    // Before there are matrices for anything else.
    let report = Report::new("train");
    let matmul_rate = matmul_rate(threads, args.measure.aside())?;
    let profiled = |config| match args.profile {
        true => profile(&mut Training::new(config, &tokens, threads)?, args.measure.profile()),
        false => Ok(Vec::new()),
    };
    let rows = configs.iter().zip(&times).map(|((name, config), measured)| {
        let flops = step_flops(&config.model, config.train.batch * config.train.accumulate);
        let row = Row::of("train", &config.model, measured, &times[0]);
        Ok(Row {
            candidate: name.clone(),
            threads,
            tokens: config.tokens_per_step() as usize,
            flops,
            matmul_share: Some(flops / row.seconds.median / matmul_rate),
            profile: profiled(config)?,
            ..row
        })
    });
    let rows = rows.collect::<Result<_, BenchError>>()?;
    args.measure.show(&Report { matmul_rate: Some(matmul_rate), rows, ..report })
}
