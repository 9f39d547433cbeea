//! `expe inspect`: what a model file contains, and the memory that it needs.

use std::fmt::Write as _;
use std::path::PathBuf;

use expe::engine::{CacheType, EngineError, ModelFile};
use expe::report::bytes;
use expe_core::Config;
use expe_core::Model;
use expe_core::position::PositionEncoding;
use serde::Serialize;

use super::CliError;
use super::output::{is_stdout, print, write_json};

/// Arguments of `expe inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The `.expe` file.
    file: PathBuf,
    /// Contexts to compute the memory for, in tokens [default: 1, 4 and 16 times the training length].
    #[arg(long, value_delimiter = ',', value_name = "N,…")]
    context: Vec<usize>,
    /// Also write the description as JSON (`-` for standard output).
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Contents of a model file.
#[derive(Debug, Serialize)]
struct Report {
    file_bytes: usize,
    parameters: usize,
    /// Floating point or integers.
    arithmetic: String,
    config: Config,
    /// Number of positions that the encoding distinguishes.
    positions: u32,
    tensors: Vec<TensorRow>,
    memory: Vec<MemoryRow>,
}

#[derive(Debug, Serialize)]
struct TensorRow {
    name: String,
    rows: usize,
    columns: usize,
    numbers: String,
    bytes: usize,
}

/// RAM in bytes for decoding one sequence token by token.
#[derive(Debug, Serialize)]
struct MemoryRow {
    context: usize,
    /// Type of the cached keys and values.
    cache_numbers: String,
    cache: usize,
    workspace: usize,
    total: usize,
}

/// Runs the command.
///
/// # Errors
/// [`CliError`] when the file is not a model, or the output cannot be written.
pub fn run(args: &Args) -> Result<(), CliError> {
    let file = ModelFile::open(&args.file)?;
    let model = file.model()?;
    let report = describe(&model, file.bytes().len(), &args.context)?;
    if let Some(path) = &args.json {
        write_json(path, &report)?;
        if is_stdout(path) {
            return Ok(());
        }
    }
    print(&render(&report))
}

fn describe(model: &Model<'_>, file_bytes: usize, contexts: &[usize]) -> Result<Report, CliError> {
    let config = *model.config();
    let positions = model.position().map_err(EngineError::from)?.length();
    let tensors: Vec<TensorRow> = model
        .tensors()
        .map(|tensor| TensorRow {
            name: tensor.shape.id.to_string(),
            rows: tensor.shape.rows,
            columns: tensor.shape.columns,
            numbers: tensor.dtype.to_string(),
            bytes: tensor.bytes.len(),
        })
        .collect();
    let beyond = contexts.iter().find(|context| **context as u64 > u64::from(positions));
    if let Some(&context) = beyond {
        return Err(CliError::Context { context, positions });
    }
    let contexts = match contexts {
        [] => [1, 4, 16]
            .map(|factor| factor * config.context)
            .into_iter()
            .filter(|context| *context as u64 <= u64::from(positions))
            .collect(),
        contexts => contexts.to_vec(),
    };
    let memory = contexts
        .into_iter()
        .flat_map(|context| {
            CacheType::supported_by(model).iter().map(move |numbers| {
                let word = size_of::<u32>();
                let cache = numbers.cache_len(&config, context).saturating_mul(word);
                let workspace = config.workspace_len(1, context).saturating_mul(word);
                let total = cache.saturating_add(workspace);
                let cache_numbers = numbers.to_string();
                MemoryRow { context, cache_numbers, cache, workspace, total }
            })
        })
        .collect();
    let parameters = tensors.iter().map(|tensor| tensor.rows * tensor.columns).sum();
    let arithmetic = model.execution().to_string();
    Ok(Report { file_bytes, parameters, arithmetic, config, positions, tensors, memory })
}

fn render(report: &Report) -> String {
    let Config { vocab, width, layers, heads, kv_heads, head_width, hidden, context, .. } =
        report.config;
    let mut text = format!(
        "{} numbers in {}, computed in {}\n\
         {layers} layers, width {width}, {heads} heads of {head_width} ({kv_heads} for keys and values), \
         hidden {hidden}, vocabulary {vocab}\n\
         {:?}, {:?}, {} head, trained on {context} tokens\n",
        report.parameters,
        bytes(report.file_bytes),
        report.arithmetic,
        report.config.norm,
        report.config.activation,
        if report.config.tied_head { "tied" } else { "free" },
    );
    let limit = match report.positions {
        u32::MAX => "no limit".to_owned(),
        positions => format!("distinguishes {positions} positions"),
    };
    let _ = writeln!(text, "position: {:?}\n          {limit}", report.config.position);
    let _ = writeln!(text, "\n{:<32} {:>14} {:>8} {:>12}", "tensor", "shape", "numbers", "bytes");
    for tensor in &report.tensors {
        let shape = format!("{} × {}", tensor.rows, tensor.columns);
        let TensorRow { name, numbers, bytes, .. } = tensor;
        let _ = writeln!(text, "{name:<32} {shape:>14} {numbers:>8} {bytes:>12}");
    }
    let _ =
        write!(text, "\nRAM, token by token: {:>10} {:>12} {:>12}", "cache", "workspace", "total");
    for row in &report.memory {
        let MemoryRow { context, cache_numbers, cache, workspace, total } = row;
        let label = format!("{context} tokens, {cache_numbers}");
        let _ = write!(
            text,
            "\n{label:>19}: {:>10} {:>12} {:>12}",
            bytes(*cache),
            bytes(*workspace),
            bytes(*total)
        );
    }
    text
}
