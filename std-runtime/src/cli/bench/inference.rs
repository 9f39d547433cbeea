//! `expe bench decode` and `expe bench prefill`: the engine on one thread.

use std::path::PathBuf;

use expe_core::format::Execution;

use super::measure::{MeasureArgs, ServeArgs};
use super::shape::ShapeArgs;
use crate::bench::{
    Inference, Report, Row, Task, candidates, forward_flops, matmul_rate, random_model, read_bytes,
    read_rate, read_rate_of,
};
use crate::cli::{CliError, interrupt};
use crate::engine::ModelFile;
use crate::export::Scheme;

/// Arguments of `expe bench decode`.
#[derive(Debug, clap::Args)]
pub struct DecodeArgs {
    /// The models.
    #[command(flatten)]
    models: ModelsArgs,
    /// Tokens to generate in a turn.
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tokens: u32,
    /// Tokens that are there already; reading them is not timed.
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

/// What is measured: files, or random models.
#[derive(Debug, clap::Args)]
struct ModelsArgs {
    /// An `.expe` file; several take turns [default: random models of the shape below].
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "config", "preset", "width", "layers", "heads", "kv_heads", "hidden", "activation", "vocab",
        "context", "position", "numbers",
    ])]
    model: Vec<PathBuf>,
    /// How the random models store their weights, separated by commas.
    #[arg(long, value_enum, default_value = "f32", value_delimiter = ',', value_name = "FORMAT,…")]
    numbers: Vec<Scheme>,
    /// The random model.
    #[command(flatten)]
    shape: ShapeArgs,
}

/// A model that is measured.
struct Named {
    name: String,
    numbers: String,
    file: ModelFile,
}

impl ModelsArgs {
    fn open(&self, positions: usize) -> Result<Vec<Named>, CliError> {
        let mut models = Vec::new();
        for path in &self.model {
            let file = ModelFile::open(path)?;
            let numbers = stored(&file)?;
            models.push(Named { name: path.display().to_string(), numbers, file });
        }
        if !models.is_empty() {
            return Ok(models);
        }
        let mut config = self.shape.config("15m")?.model;
        // A learned table must reach the last position.
        config.context = config.context.max(positions);
        let specs = self.shape.positions(&config)?;
        for (position, encoding) in &specs {
            config.position = *encoding;
            for scheme in &self.numbers {
                let numbers = scheme.to_string();
                let name = match (specs.len(), self.numbers.len()) {
                    (1, _) => numbers.clone(),
                    (_, 1) => position.clone(),
                    _ => format!("{position} {numbers}"),
                };
                models.push(Named { name, numbers, file: random_model(&config, *scheme)? });
            }
        }
        Ok(models)
    }
}

/// How a file stores the weights of its layers.
fn stored(file: &ModelFile) -> Result<String, CliError> {
    let model = file.model()?;
    let matrix =
        model.tensors().find(|t| t.shape.id.kind.is_matrix() && !t.shape.id.kind.is_vocabulary());
    let numbers = matrix.map_or_else(String::new, |matrix| matrix.numbers.to_string());
    Ok(match model.execution() {
        Execution::Float => numbers,
        Execution::Integer => format!("{numbers}, integers alone"),
    })
}

/// Run `expe bench decode`.
///
/// # Errors
/// [`CliError`].
pub fn decode(args: &DecodeArgs) -> Result<(), CliError> {
    let task = Task::Decode { past: args.past as usize, tokens: args.tokens as usize };
    run("decode", task, &args.models, &args.measure, &args.serve)
}

/// Run `expe bench prefill`.
///
/// # Errors
/// [`CliError`].
pub fn prefill(args: &PrefillArgs) -> Result<(), CliError> {
    let task = Task::Prefill { tokens: args.tokens as usize };
    run("prefill", task, &args.models, &args.measure, &args.serve)
}

fn run(
    work: &'static str,
    task: Task,
    models: &ModelsArgs,
    measure: &MeasureArgs,
    serve: &ServeArgs,
) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let named = models.open(task.positions())?;
    let models = named.iter().map(|named| named.file.model()).collect::<Result<Vec<_>, _>>()?;
    let mut buffers = Inference::all_buffers(&models, task)?;
    let candidates = candidates(&models, &mut buffers, task)?;
    let Some(times) = serve.times(candidates, measure, stop)? else {
        return Ok(());
    };
    let report = Report::new(work);
    let decoding = matches!(task, Task::Decode { .. });
    let read_rate = decoding.then(|| read_rate(measure.aside()));
    let matmul_rate = if decoding { None } else { Some(matmul_rate(1, measure.aside())?) };
    let tokens = task.tokens();
    let rows = named.iter().zip(&models).zip(&times).map(|((named, model), measured)| {
        let seconds = measured.spread();
        let keys = task.mean_keys();
        let per_token = forward_flops(model.config(), keys, decoding);
        // Of a prompt, only the last token's logits are computed.
        let head =
            if decoding { 0.0 } else { 2.0 * (model.config().vocab * model.config().width) as f64 };
        let flops = per_token * tokens as f64 + head;
        let bytes = decoding.then(|| read_bytes(model, keys));
        let rate = bytes.map(|bytes| bytes * tokens as f64 / seconds.median);
        let share = |best: Option<f64>| Some(rate? / best?);
        let cached = bytes.map(|bytes| read_rate_of(bytes as usize, measure.aside()));
        Row {
            candidate: named.name.clone(),
            numbers: named.numbers.clone(),
            tokens,
            past: match task {
                Task::Decode { past, .. } => Some(past),
                Task::Prefill { .. } => None,
            },
            bytes_per_token: bytes,
            read_share: share(read_rate),
            cached_read_share: share(cached),
            flops,
            matmul_share: matmul_rate.map(|best| flops / seconds.median / best),
            ..Row::of(work, model.config(), measured, &times[0])
        }
    });
    let rows = rows.collect();
    measure.show(&Report { read_rate, matmul_rate, rows, ..report })
}
