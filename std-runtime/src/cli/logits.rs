//! `expe logits`: the logits of every position, to compare engines.

use std::path::PathBuf;

use expe::train::{OnDevice, TrainingDevice};
use serde::Serialize;

use super::CliError;
use super::device_arg::DeviceArg;
use super::model_arg::{ModelArg, model_device};
use super::output::{print, write_json};

/// Arguments of `expe logits`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run folder (computed with dfdx) or an `.expe` file (computed with the core engine).
    #[arg(long, value_name = "DIR|FILE")]
    model: PathBuf,
    /// The device, for a run folder.
    #[command(flatten)]
    device: DeviceArg,
    /// The tokens, at the positions 0, 1, …
    #[arg(long, value_delimiter = ',', required = true, value_name = "N,…")]
    tokens: Vec<u32>,
    /// Write the logits as JSON (`-` for standard output) instead of printing a summary.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// `{"engine":"core","tokens":[1,2],"logits":[[…],[…]]}`
#[derive(Debug, Serialize)]
struct Report<'a> {
    /// `dfdx` for a run folder, `core` for an `.expe` file.
    engine: &'static str,
    tokens: &'a [u32],
    /// `[position][vocabulary]`: row `n` predicts the token after token `n`.
    logits: Vec<Vec<f32>>,
}

impl OnDevice for &Args {
    /// The engine and the logits.
    type Output = (&'static str, Vec<Vec<f32>>);
    type Error = CliError;

    fn run<D: TrainingDevice>(self, device: &D) -> Result<Self::Output, CliError> {
        Ok(match ModelArg::open(&self.model, device)? {
            ModelArg::Folder(folder) => ("dfdx", folder.logits(&self.tokens)?),
            ModelArg::File(file) => ("core", expe::engine::logits(&file.model()?, &self.tokens)?),
        })
    }
}

/// Runs the command.
///
/// # Errors
/// [`CliError`] when the model cannot be read, or does not accept the tokens.
pub fn run(args: &Args) -> Result<(), CliError> {
    let (engine, logits) = model_device(&args.model, &args.device)?.run(args)?;
    if let Some(path) = &args.json {
        return write_json(path, &Report { engine, tokens: &args.tokens, logits });
    }
    print(&format!(
        "{:>8} {:>7} {:>7} {:>12} {:>12} {:>12}",
        "position", "token", "best", "logit", "mean", "rms"
    ))?;
    for (position, (token, row)) in args.tokens.iter().zip(&logits).enumerate() {
        let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let (best, logit) = best.map_or((0, f32::NAN), |(index, logit)| (index, *logit));
        let count = row.len().max(1) as f64;
        let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / count;
        let square = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / count;
        let rms = square.sqrt();
        print(&format!(
            "{position:>8} {token:>7} {best:>7} {logit:>12.6} {mean:>12.6} {rms:>12.6}"
        ))?;
    }
    Ok(())
}
