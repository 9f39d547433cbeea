//! `expe demo`: all steps on real text, from training to the exported file.

use std::path::PathBuf;

use expe::compare::Plan;
use expe::config::preset;
use expe::device::Cpu;
use expe::engine::{CacheChoice, ModelFile, Sampling, TextDecoder, encode, generate};
use expe::export::{self, save};
use expe::report::{Sample, bytes};
use expe::train::TrainedModel;
use expe_core::internals::DType;

use super::compare::{compare, paths};
use super::data_arg::DataArgs;
use super::device_arg::DeviceArg;
use super::eval::{LengthArgs, tables};
use super::output::print;
use super::{CliError, interrupt};

/// Arguments of `expe demo`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Args {
    /// Use smaller models and fewer rivals; finishes in less than 90 seconds on 2 cores.
    #[arg(long)]
    quick: bool,
    /// Where the text comes from [default: the Rust sources that cargo unpacked].
    #[command(flatten)]
    data: DataArgs,
    /// The device.
    #[command(flatten)]
    device: DeviceArg,
    /// Folder of the demo; training runs and measurements that are finished there are not repeated [default:
    /// expe-demo, or expe-demo-quick with --quick].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The exported encoding: the first one of every comparison.
const EXPORTED: &str = "expe-cap";

/// Runs the command.
///
/// # Errors
/// Returns a [`CliError`]. Running the same command again continues from the finished work.
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let (name, specs, folder): (_, &[&str], _) = if args.quick {
        ("quick", &[EXPORTED, "expe", "rope", "sinusoidal"], "expe-demo-quick")
    } else {
        ("demo", &[EXPORTED, "expe", "exqpe", "rope", "sinusoidal", "alibi"], "expe-demo")
    };
    let folder = args.out.clone().unwrap_or_else(|| folder.into());
    let corpus = args.data.open_or_default()?;
    let base = preset(name)?;
    let lengths = LengthArgs::default().lengths(base.model.context)?;
    let mut plan = Plan::new(base, specs, lengths, &folder)?;
    plan.device = args.device.settle()?;
    plan.jobs = plan.device.jobs();
    let compared = compare(plan, &corpus, stop)?;
    print(&tables(&compared.rows))?;

    let [spec, ..] = compared.plan.specs.as_slice() else { return Ok(()) };
    let run_folder = compared.plan.run_folder(spec, 0);
    let mut trained = TrainedModel::open(&run_folder, &Cpu::default())?;
    trained.config.model.position = spec.evaluated;
    let file = export::float(&trained, DType::F16)?;
    let path = folder.join("model.expe");
    save(&file, &path)?;
    let sample = write_sample(&file, trained.config.model.context)?;
    let files = compared
        .report("Perplexity against length, trained at 1×", std::slice::from_ref(&sample))?;
    let (path, run) = (path.display(), run_folder.display());
    print(&format!(
        "{}\nmodel: {path} ({}, f16 weights)",
        paths(&files),
        bytes(file.bytes().len())
    ))?;
    print(
        "\nThe core engine continues a text from the exported file, past the training length:\n",
    )?;
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

/// Generates a few lines with the model, three times as long as its training length.
fn write_sample(file: &ModelFile, context: usize) -> Result<Sample, CliError> {
    const PROMPT: &str = "/// Returns the ";
    let model = file.model()?;
    let prompt = encode(model.tokenizer(), PROMPT);
    let mut decoder = TextDecoder::new(model.tokenizer());
    let mut text = String::new();
    let sampling = Sampling { temperature: 0.6, top_k: 20, seed: 1 };
    generate(&model, &prompt, 3 * context, sampling, CacheChoice::default(), |token| {
        text.push_str(&decoder.push(token));
        true
    })?;
    text.push_str(&decoder.finish());
    let source = format!("{EXPORTED}, exported with f16 weights, run by the core engine");
    Ok(Sample { source, prompt: PROMPT.to_owned(), text })
}
