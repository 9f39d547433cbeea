//! `expe export`: write a trained model as an `.expe` file.

use std::path::PathBuf;

use expe_core::format::Numbers;

use super::CliError;
use super::data_arg::DataArgs;
use super::eval::{LengthArgs, of_file};
use super::model_arg::RunFolder;
use super::output::print;
use super::text::bytes;
use crate::compare::amend;
use crate::export::save;

/// Arguments of `expe export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// How the weights are stored; norms and positions stay in f32.
    #[arg(long, value_enum, default_value = "f16")]
    numbers: NumbersArg,
    /// The file to write.
    #[arg(long, value_name = "FILE.expe")]
    out: PathBuf,
    /// Change the position encoding first: KEY=VALUE[:KEY=VALUE]…, such as query_cap=last.
    #[arg(long, value_name = "SETTINGS")]
    position_set: Option<String>,
    /// Text to measure the perplexity on before and after: its held-out part, with the core engine.
    #[command(flatten)]
    data: DataArgs,
    /// At which lengths.
    #[command(flatten)]
    lengths: LengthArgs,
}

/// The numeric formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum NumbersArg {
    F32,
    F16,
}

/// Run the command.
///
/// # Errors
/// [`CliError`]; no file is written then.
pub fn run(args: &Args) -> Result<(), CliError> {
    let mut folder = RunFolder::open(&args.model)?;
    if let Some(settings) = &args.position_set {
        let model = &mut folder.config.model;
        model.position = amend(model.position, settings, model.context)?;
    }
    let numbers = match args.numbers {
        NumbersArg::F32 => Numbers::F32,
        NumbersArg::F16 => Numbers::F16,
    };
    let corpus = if args.data.is_given() { Some(args.data.open()?) } else { None };
    // Whatever can fail does so before a file is written.
    let file = folder.to_file(&args.out, numbers)?;
    let measured = match &corpus {
        None => None,
        Some(corpus) => {
            let before = folder.to_file(&args.model, Numbers::F32)?;
            Some((of_file(&before, corpus, &args.lengths)?, of_file(&file, corpus, &args.lengths)?))
        }
    };
    save(&file, &args.out)?;
    print(&format!("{}: {} ({numbers} weights)", args.out.display(), bytes(file.bytes().len())))?;
    let Some((before, after)) = measured else {
        return print("perplexity not measured: name text with --data to compare before and after");
    };
    print(&format!("{:>8} {:>12} {:>12} {:>9}", "length", "f32", numbers.to_string(), "change"))?;
    for (before, after) in before.iter().zip(&after) {
        let change = (after.perplexity / before.perplexity - 1.0) * 100.0;
        print(&format!(
            "{:>7}× {:>12.3} {:>12.3} {change:>+8.3}%",
            before.factor, before.perplexity, after.perplexity
        ))?;
    }
    Ok(())
}
