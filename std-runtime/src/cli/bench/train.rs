//! `expe bench train`: training steps.

use rayon::ThreadPoolBuilder;

use super::measure::{MeasureArgs, ServeArgs};
use super::shape::ShapeArgs;
use crate::bench::{
    BenchError, Candidate, Machine, Report, Row, Training, matmul_rate, peak_memory, random_tokens,
    step_flops,
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
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|source| BenchError::Threads { threads, source })?;
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
    // Everything inside the pool, whose size is what training goes by.
    pool.install(|| {
        let candidates: Vec<Box<dyn Candidate + '_>> = configs
            .iter()
            .map(|(_, config)| Ok(Box::new(Training::new(config, &tokens)?) as Box<dyn Candidate>))
            .collect::<Result<_, BenchError>>()?;
        let Some(times) = args.serve.times(candidates, &args.measure, stop)? else {
            return Ok(());
        };
        let peak_memory = peak_memory();
        let matmul_rate = matmul_rate(threads, args.measure.aside())?;
        let rows = configs.iter().zip(&times).map(|((name, config), measured)| {
            let flops = step_flops(&config.model, config.train.batch * config.train.accumulate);
            let seconds = measured.spread();
            Row {
                candidate: name.clone(),
                work: "train",
                numbers: "f32".to_owned(),
                model: config.model,
                threads,
                tokens: config.tokens_per_step() as usize,
                past: None,
                seconds,
                ratio: measured.ratio(&times[0]),
                bytes_per_token: None,
                read_share: None,
                cached_read_share: None,
                flops,
                matmul_share: Some(flops / seconds.median / matmul_rate),
            }
        });
        args.measure.show(&Report {
            benchmark: "train",
            machine: Machine::this(),
            read_rate: None,
            matmul_rate: Some(matmul_rate),
            peak_memory,
            rows: rows.collect(),
            slopes: Vec::new(),
        })
    })
}
