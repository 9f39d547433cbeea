//! `expe inspect`: describe a model file and the memory that it needs.

use std::fmt::Write as _;
use std::path::PathBuf;

use expe::engine::{Description, MemoryNeed, ModelFile, TensorDescription, describe};
use expe::report::bytes;
use expe_core::Config;

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

fn render(report: &Description) -> String {
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
        let TensorDescription { name, dtype, bytes, .. } = tensor;
        let _ = writeln!(text, "{name:<32} {shape:>14} {dtype:>8} {bytes:>12}");
    }
    let _ =
        write!(text, "\nRAM, token by token: {:>10} {:>12} {:>12}", "cache", "workspace", "total");
    for row in &report.memory {
        let MemoryNeed { context, cache_type, cache, workspace, total } = row;
        let label = format!("{context} tokens, {cache_type}");
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
