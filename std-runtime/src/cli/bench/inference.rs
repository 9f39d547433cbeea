//! `expe bench decode` and `expe bench prefill`: the engine on one thread.

use std::path::PathBuf;

use expe::bench::{InferenceBenchmark, Measured, Task};
use expe::engine::ModelFile;
use expe::export::Scheme;

use super::measure::{MeasureArgs, ServeArgs};
use super::shape::ShapeArgs;
use crate::cli::values::scheme;
use crate::cli::{CliError, interrupt};

/// Arguments of `expe bench decode`.
#[derive(Debug, clap::Args)]
pub struct DecodeArgs {
    /// The models.
    #[command(flatten)]
    models: ModelsArgs,
    /// Tokens to generate in a turn.
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tokens: u32,
    /// Tokens that precede the generated ones; reading them is not timed.
    #[arg(long, default_value_t = 0, value_name = "N")]
    past: u32,
    /// How long to measure.
    #[command(flatten)]
    measure: MeasureArgs,
    /// Who measures.
    #[command(flatten)]
    serve: ServeArgs,
}

/// Arguments of `expe bench prefill`.
#[derive(Debug, clap::Args)]
pub struct PrefillArgs {
    /// The models.
    #[command(flatten)]
    models: ModelsArgs,
    /// Tokens of the prompt.
    #[arg(long, default_value_t = 512, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tokens: u32,
    /// How long to measure.
    #[command(flatten)]
    measure: MeasureArgs,
    /// Who measures.
    #[command(flatten)]
    serve: ServeArgs,
}

/// The models to measure: files or random models.
#[derive(Debug, clap::Args)]
struct ModelsArgs {
    /// An `.expe` file; can be repeated [default: random models of the shape below].
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "config", "preset", "width", "layers", "heads", "kv_heads", "hidden", "activation", "vocab",
        "context", "position", "numbers",
    ])]
    model: Vec<PathBuf>,
    /// Number formats of the random models, separated by commas.
    #[arg(long, value_parser = scheme(), default_value = "f32", value_delimiter = ',', value_name = "FORMAT,…")]
    numbers: Vec<Scheme>,
    /// The random model.
    #[command(flatten)]
    shape: ShapeArgs,
}

impl ModelsArgs {
    fn open(&self, positions: usize) -> Result<Vec<Measured>, CliError> {
        if self.model.is_empty() {
            let mut config = self.shape.config("15m")?.model;
            // A learned table needs a row for every position.
            config.context = config.context.max(positions);
            let positions = self.shape.positions(&config)?;
            return Ok(Measured::random(&config, &positions, &self.numbers)?);
        }
        let open = |path: &PathBuf| {
            Ok(Measured::from_file(path.display().to_string(), ModelFile::open(path)?)?)
        };
        self.model.iter().map(open).collect()
    }
}

/// Runs `expe bench decode`.
///
/// # Errors
/// [`CliError`].
pub fn decode(args: &DecodeArgs) -> Result<(), CliError> {
    let task = Task::Decode { past: args.past as usize, tokens: args.tokens as usize };
    run(task, &args.models, &args.measure, &args.serve)
}

/// Runs `expe bench prefill`.
///
/// # Errors
/// [`CliError`].
pub fn prefill(args: &PrefillArgs) -> Result<(), CliError> {
    let task = Task::Prefill { tokens: args.tokens as usize };
    run(task, &args.models, &args.measure, &args.serve)
}

fn run(
    task: Task,
    models: &ModelsArgs,
    measure: &MeasureArgs,
    serve: &ServeArgs,
) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let models = models.open(task.positions())?;
    let benchmark = InferenceBenchmark { models, task, plan: measure.plan() };
    match benchmark.run(&serve.timer(stop))? {
        Some(report) => measure.show(&report),
        None => Ok(()),
    }
}
