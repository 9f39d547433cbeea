//! `expe eval`: perplexity as a function of length.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use expe::data::Corpus;
use expe::engine::{CacheType, ModelFile};
use expe::eval::{EvalError, EvalOptions, Lengths, TextPart, evaluate, evaluate_file};
use expe::report::{Figure, Row, text_table};
use expe::train::{OnDevice, TrainingDevice};

use super::data_arg::DataArgs;
use super::device_arg::DeviceArg;
use super::model_arg::{ModelArg, model_device};
use super::output::{is_stdout, print, write_rows};
use super::progress::Progress;
use super::values::cache_type;
use super::{CliError, interrupt};

/// Arguments of `expe eval`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run folder (computed with dfdx) or an `.expe` file (computed with the core engine).
    #[arg(long, value_name = "DIR|FILE")]
    model: PathBuf,
    /// The device, for a run folder.
    #[command(flatten)]
    device: DeviceArg,
    /// The sources of the text.
    #[command(flatten)]
    data: DataArgs,
    /// Use the whole text instead of the part that training holds out, for text that the model was not
    /// trained on.
    #[arg(long)]
    whole: bool,
    /// Which lengths and how much text.
    #[command(flatten)]
    lengths: LengthArgs,
    /// Changes to the position encoding: KEY=VALUE[:KEY=VALUE]…, such as query_cap=last or
    /// scaling=yarn:factor=16.
    #[arg(long, value_name = "SETTINGS")]
    position_set: Option<String>,
    /// Type of the key-value cache, for an `.expe` file [default: f32, or i8 for a model in integers].
    #[arg(long, value_parser = cache_type())]
    cache: Option<CacheType>,
    /// Also write the rows as JSON (`-` for standard output).
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Which lengths to measure, and on how much text.
#[derive(Debug, Clone, clap::Args)]
pub struct LengthArgs {
    /// Multiples of the training length.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,16", value_name = "N,…")]
    lengths: Vec<usize>,
    /// Maximum number of held-out tokens to predict at each length (at least one window of the longest
    /// length is always used).
    #[arg(long, default_value_t = 32_768, value_name = "N")]
    eval_tokens: usize,
}

impl Default for LengthArgs {
    fn default() -> Self {
        let EvalOptions { factors, tokens, .. } = EvalOptions::default();
        Self { lengths: factors.to_vec(), eval_tokens: tokens }
    }
}

impl LengthArgs {
    /// Returns the lengths for a model of training length `context`.
    ///
    /// # Errors
    /// [`CliError::Eval`] for a length of 0 or an empty list.
    pub fn lengths(&self, context: usize) -> Result<Lengths, CliError> {
        Ok(Lengths::new(context, &self.lengths, self.eval_tokens)?)
    }

    /// Returns the options of an evaluation at these lengths.
    pub fn options(&self) -> EvalOptions<'_> {
        EvalOptions { factors: &self.lengths, tokens: self.eval_tokens, ..EvalOptions::default() }
    }
}

/// Formats the perplexity over all positions and over the last ones as two tables.
pub fn tables(rows: &[Row]) -> String {
    format!("{}\n{}", text_table(rows, Figure::All), text_table(rows, Figure::Last))
}

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub fn run(args: &Args) -> Result<(), CliError> {
    let rows = model_device(&args.model, &args.device)?.run(args)?;
    if let Some(path) = &args.json {
        write_rows(path, &rows)?;
        if is_stdout(path) {
            return Ok(());
        }
    }
    print(&tables(&rows))
}

impl OnDevice for &Args {
    type Output = Vec<Row>;
    type Error = CliError;

    fn run<D: TrainingDevice>(self, device: &D) -> Result<Vec<Row>, CliError> {
        let model = ModelArg::open(&self.model, device)?;
        if let (ModelArg::Folder(_), Some(_)) = (&model, self.cache) {
            return Err(CliError::NoCache(self.model.clone()));
        }
        let corpus = self.data.open()?;
        let options = EvalOptions {
            part: if self.whole { TextPart::Whole } else { TextPart::HeldOut },
            position: self.position_set.as_deref(),
            cache: self.cache,
            ..self.lengths.options()
        };
        with_progress(options.factors.len(), |on_row| match &model {
            ModelArg::Folder(trained) => evaluate(trained, &corpus, &options, on_row),
            ModelArg::File(file) => evaluate_file(file, &corpus, &options, on_row),
        })
    }
}

/// Measures the perplexity of a model file on held-out text at each of `lengths`.
///
/// # Errors
/// [`CliError`].
pub fn evaluate_with_progress(
    file: &ModelFile,
    corpus: &Corpus,
    lengths: &LengthArgs,
) -> Result<Vec<Row>, CliError> {
    let options = lengths.options();
    with_progress(options.factors.len(), |on_row| evaluate_file(file, corpus, &options, on_row))
}

/// Runs an evaluation at `count` lengths and shows its progress. Stops it on Ctrl-C.
fn with_progress(
    count: usize,
    evaluate: impl FnOnce(&mut dyn FnMut(&Row) -> ControlFlow<()>) -> Result<Vec<Row>, EvalError>,
) -> Result<Vec<Row>, CliError> {
    let stop = interrupt::catch()?;
    let mut task = Progress::new().task("eval", count as u64);
    let mut done = 0;
    let rows = evaluate(&mut |row| {
        done += 1;
        task.update(done, || format!("{}×", row.factor));
        if stop.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if stop.load(Ordering::SeqCst) {
        return Err(CliError::Interrupted { resume: None });
    }
    task.finish("done");
    Ok(rows)
}
