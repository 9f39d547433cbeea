//! `expe export`: write a trained model as an `.expe` file.

use std::path::PathBuf;

use expe::config::amend;
use expe::data::Dataset;
use expe::device::Cpu;
use expe::export::{self, Exported, Scheme, quantized, save};
use expe::quantize::{CalibrationText, MatrixError};
use expe::report::bytes;
use expe::train::TrainedModel;
use expe_core::internals::DType;

use super::CliError;
use super::data_arg::DataArgs;
use super::eval::{LengthArgs, evaluate_with_progress};
use super::output::print;
use super::values::scheme;

/// Arguments of `expe export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Number formats and arithmetic of the exported model; norms and positions are always stored in f32.
    #[arg(long, value_parser = scheme(), default_value = "f16")]
    numbers: Scheme,
    /// The file to write.
    #[arg(long, value_name = "FILE.expe")]
    out: PathBuf,
    /// Changes to the position encoding: KEY=VALUE[:KEY=VALUE]…, such as query_cap=last.
    #[arg(long, value_name = "SETTINGS")]
    position_set: Option<String>,
    /// Print the rounding error of every matrix, not only of the worst three.
    #[arg(long)]
    report: bool,
    /// Number of tokens to calibrate integers on, from the training part of --data or, without --data, from
    /// text that the model generates.
    #[arg(
        long, default_value_t = 8_192, value_name = "N",
        value_parser = clap::value_parser!(u32).range(64..=1_000_000)
    )]
    calibration_tokens: u32,
    /// Text whose held-out part is used to measure the perplexity before and after.
    #[command(flatten)]
    data: DataArgs,
    /// The lengths to measure.
    #[command(flatten)]
    lengths: LengthArgs,
}

/// Runs the command.
///
/// # Errors
/// Returns a [`CliError`]. No file is written in this case.
pub fn run(args: &Args) -> Result<(), CliError> {
    let mut trained = TrainedModel::open(&args.model, &Cpu::default())?;
    if let Some(settings) = &args.position_set {
        let model = &mut trained.config.model;
        model.position = amend(model.position, settings, model.context)?;
    }
    let scheme = args.numbers;
    let corpus = if args.data.is_given() { Some(args.data.open()?) } else { None };
    // The text is opened here, so that an error is reported before the file is written.
    let dataset = match &corpus {
        Some(corpus) if scheme.layers().is_integer() => {
            Some(Dataset::encode(corpus, &trained.tokenizer)?)
        }
        _ => None,
    };
    let text = dataset
        .as_ref()
        .map_or(CalibrationText::Generated, |data| CalibrationText::Tokens(data.train()));
    let Exported { file, errors } =
        quantized(&trained, scheme, text, args.calibration_tokens as usize)?;
    let measured = match &corpus {
        None => None,
        Some(corpus) => {
            let before = export::float(&trained, DType::F32)?;
            Some((
                evaluate_with_progress(&before, corpus, &args.lengths)?,
                evaluate_with_progress(&file, corpus, &args.lengths)?,
            ))
        }
    };
    save(&file, &args.out)?;
    print(&format!("{}: {} ({scheme})", args.out.display(), bytes(file.bytes().len())))?;
    if !errors.is_empty() {
        print(&rounding(&errors, args.report))?;
    }
    let Some((before, after)) = measured else {
        return print("perplexity not measured: pass text with --data to compare before and after");
    };
    print(&format!("{:>8} {:>12} {:>12} {:>9}", "length", "f32", scheme.to_string(), "change"))?;
    for (before, after) in before.iter().zip(&after) {
        let change = (after.perplexity / before.perplexity - 1.0) * 100.0;
        print(&format!(
            "{:>7}× {:>12.3} {:>12.3} {change:>+8.3}%",
            before.factor, before.perplexity, after.perplexity
        ))?;
    }
    Ok(())
}

/// Formats the rounding errors of all matrices, or of the worst three.
fn rounding(errors: &[MatrixError], all: bool) -> String {
    let mut text = format!(
        "rounding, on calibration text:\n{:<28} {:>7} {:>14} {:>14}",
        "matrix", "numbers", "largest input", "output error"
    );
    let mut shown: Vec<_> = errors.iter().collect();
    if !all {
        shown.sort_by(|a, b| b.error.total_cmp(&a.error));
        shown.truncate(3);
    }
    for MatrixError { tensor, dtype, largest_input, error } in shown {
        let (tensor, dtype) = (tensor.to_string(), dtype.to_string());
        let error = 100.0 * error;
        text.push_str(&format!("\n{tensor:<28} {dtype:>7} {largest_input:>14.2} {error:>13.3}%"));
    }
    if !all && errors.len() > 3 {
        text.push_str(&format!("\n… the worst 3 of {}; --report shows all", errors.len()));
    }
    text
}
