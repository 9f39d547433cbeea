//! `expe demo`: the main job on real text, from training to the exported file.

use std::path::PathBuf;

use expe_core::format::Numbers;

use super::compare::{Compared, Comparison, PAGE_FILE, PLOT_FILE, tables};
use super::data_arg::DataArgs;
use super::eval::LengthArgs;
use super::model_arg::RunFolder;
use super::output::print;
use super::text::{TokenPrinter, bytes};
use super::{CliError, interrupt};
use crate::config::preset;
use crate::engine::{ModelFile, Sampling, generate};
use crate::export::write_file;

/// Arguments of `expe demo`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// Smaller models and fewer rivals: done in less than 90 seconds on 2 cores.
    #[arg(long)]
    quick: bool,
    /// Where the text comes from [default: the Rust sources that cargo unpacked].
    #[command(flatten)]
    data: DataArgs,
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
        jobs: None,
    };
    let Compared { plan, rows } = comparison.run(preset(name)?, &corpus, stop)?;
    print(&tables(&rows))?;

    let [spec, ..] = plan.specs.as_slice() else { return Ok(()) };
    let mut run = RunFolder::open(&plan.run_folder(spec, 0))?;
    run.config.model.position = spec.evaluated;
    let path = folder.join("model.expe");
    let tensors = run.model.weights.to_tensors();
    let len = write_file(&run.config.model, &tensors, &run.tokenizer, Numbers::F16, &path)?;
    let folder = folder.display();
    print(&format!(
        "\nplot:  {folder}/{PLOT_FILE}\npage:  {folder}/{PAGE_FILE}\nmodel: {} ({}, f16 weights)",
        path.display(),
        bytes(len as usize),
    ))?;
    let story = tell(&ModelFile::open(&path)?, run.config.model.context)?;
    print(&format!(
        "\nThe core engine goes on from the exported file, past the training length:\n\n{story}\n"
    ))?;
    print(&format!(
        "Next:\n  \
         expe generate --model {path} --prompt \"fn main() {{\" --tokens 200\n  \
         expe inspect {path}\n  \
         expe compare --positions expe-cap,expe:start=0:step=1/8,rope@scaling=yarn:factor=16 --seeds 3\n  \
         expe train --data YOUR_TEXT --out runs/mine\n\
         (`expe` is target/release/expe, or `cargo run --release --`)",
        path = path.display(),
    ))
}

/// A few lines from the model: three times its training length.
fn tell(file: &ModelFile, context: usize) -> Result<String, CliError> {
    const PROMPT: &str = "/// Returns the ";
    let model = file.model()?;
    let prompt = super::text::encode(model.tokenizer(), PROMPT);
    let mut printer = TokenPrinter::new(model.tokenizer());
    let mut story = PROMPT.to_owned();
    let sampling = Sampling { temperature: 0.6, top_k: 20, seed: 1 };
    generate(&model, &prompt, 3 * context, sampling, |token| {
        story.push_str(&printer.push(token));
        true
    })?;
    story.push_str(&printer.finish());
    Ok(story.lines().map(|line| format!("  | {line}\n")).collect())
}
