//! `expe demo`: the main job on real text, from training to the exported file.

use std::path::PathBuf;

use expe_core::format::Numbers;

use super::compare::{Comparison, places};
use super::data_arg::DataArgs;
use super::device_arg::DeviceArg;
use super::eval::{LengthArgs, tables};
use super::model_arg::RunFolder;
use super::output::print;
use super::text::{TokenPrinter, bytes, encode};
use super::{CliError, interrupt};
use crate::config::preset;
use crate::device::Cpu;
use crate::engine::{CacheChoice, ModelFile, Sampling, generate};
use crate::export::save;
use crate::report::Sample;

/// Arguments of `expe demo`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// Smaller models and fewer rivals: done in less than 90 seconds on 2 cores.
    #[arg(long)]
    quick: bool,
    /// Where the text comes from [default: the Rust sources that cargo unpacked].
    #[command(flatten)]
    data: DataArgs,
    /// The device.
    #[command(flatten)]
    device: DeviceArg,
    /// The folder for everything; what is in it already is not done again [default: expe-demo, with
    /// --quick expe-demo-quick].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The encoding that is exported: the first one of every comparison.
const EXPORTED: &str = "expe-cap";

/// Run the command.
///
/// # Errors
/// [`CliError`]; the same command goes on from there.
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let (name, specs, folder): (_, &[&str], _) = if args.quick {
        ("quick", &[EXPORTED, "expe", "rope", "sinusoidal"], "expe-demo-quick")
    } else {
        ("demo", &[EXPORTED, "expe", "exqpe", "rope", "sinusoidal", "alibi"], "expe-demo")
    };
    let folder = args.out.clone().unwrap_or_else(|| folder.into());
    let corpus = args.data.open_or_default()?;
    let lengths = LengthArgs::default();
    let comparison = Comparison {
        title: "Perplexity against length, trained at 1×".to_owned(),
        folder: &folder,
        specs,
        seeds: 1,
        lengths: &lengths,
        device: args.device.settle()?,
        jobs: None,
    };
    let compared = comparison.run(preset(name)?, &corpus, stop)?;
    print(&tables(&compared.rows))?;

    let [spec, ..] = compared.plan.specs.as_slice() else { return Ok(()) };
    let run_folder = compared.plan.run_folder(spec, 0);
    let mut run = RunFolder::open(&run_folder, &Cpu::default())?;
    run.config.model.position = spec.evaluated;
    let path = folder.join("model.expe");
    let file = run.to_file(&path, Numbers::F16)?;
    save(&file, &path)?;
    let sample = write_sample(&file, run.config.model.context)?;
    let files = compared.report(std::slice::from_ref(&sample))?;
    let (path, run) = (path.display(), run_folder.display());
    print(&format!(
        "{}\nmodel: {path} ({}, f16 weights)",
        places(&files),
        bytes(file.bytes().len())
    ))?;
    print("\nThe core engine goes on from the exported file, past the training length:\n")?;
    for line in format!("{}{}", sample.prompt, sample.text).lines() {
        print(&format!("  | {line}"))?;
    }
    print(&format!(
        "\nNext:\n  \
         expe generate --model {path} --prompt \"fn main() {{\" --tokens 200\n  \
         expe inspect {path}\n  \
         expe export --model {run} --numbers integer --out integer.expe\n  \
         expe compare --positions expe-cap,expe:start=0:step=1/8,rope@scaling=yarn:factor=16 --seeds 3\n  \
         expe train --data YOUR_TEXT --out runs/mine\n\
         (`expe` is target/release/expe, or `cargo run --release --`)"
    ))
}

/// A few lines from the model: three times its training length.
fn write_sample(file: &ModelFile, context: usize) -> Result<Sample, CliError> {
    const PROMPT: &str = "/// Returns the ";
    let model = file.model()?;
    let prompt = encode(model.tokenizer(), PROMPT);
    let mut printer = TokenPrinter::new(model.tokenizer());
    let mut text = String::new();
    let sampling = Sampling { temperature: 0.6, top_k: 20, seed: 1 };
    generate(&model, &prompt, 3 * context, sampling, CacheChoice::default(), |token| {
        text.push_str(&printer.push(token));
        true
    })?;
    text.push_str(&printer.finish());
    let source = format!("{EXPORTED}, exported with f16 weights, run by the core engine");
    Ok(Sample { source, prompt: PROMPT.to_owned(), text })
}
