//! `expe eval`: perplexity against length.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use expe_core::Model;

use super::data_arg::DataArgs;
use super::device_arg::DeviceArg;
use super::model_arg::{ModelArg, model_device};
use super::output::{is_stdout, print, write_rows};
use super::progress::Progress;
use super::{CliError, interrupt};
use crate::compare::amend;
use crate::data::{Corpus, Dataset, Tokenizer};
use crate::device::OnDevice;
use crate::engine::{CacheNumbers, ModelFile};
use crate::eval::{CoreScorer, DfdxScorer, Lengths, Scorer, perplexity, row};
use crate::report::{Figure, Row, text_table};
use crate::train::TrainingDevice;

/// Arguments of `expe eval`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run folder (computed with dfdx) or an `.expe` file (computed with the core engine).
    #[arg(long, value_name = "DIR|FILE")]
    model: PathBuf,
    /// The device, for a run folder.
    #[command(flatten)]
    device: DeviceArg,
    /// Where the text comes from.
    #[command(flatten)]
    data: DataArgs,
    /// Use all of the text, not only the part that training holds out; for text that the model was
    /// not trained on.
    #[arg(long)]
    whole: bool,
    /// Which lengths and how much text.
    #[command(flatten)]
    lengths: LengthArgs,
    /// Change the position encoding first: KEY=VALUE[:KEY=VALUE]…, such as query_cap=last or
    /// scaling=yarn:factor=16.
    #[arg(long, value_name = "SETTINGS")]
    position_set: Option<String>,
    /// How the key-value cache of an `.expe` file's model stores its numbers [default: f32, i8 for a
    /// model in integers].
    #[arg(long, value_enum)]
    cache: Option<CacheNumbers>,
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
    /// Tokens of held-out text to predict at each length, at most (but a window of the longest).
    #[arg(long, default_value_t = 32_768, value_name = "N")]
    eval_tokens: usize,
}

impl Default for LengthArgs {
    fn default() -> Self {
        Self { lengths: vec![1, 2, 4, 8, 16], eval_tokens: 32_768 }
    }
}

impl LengthArgs {
    /// The lengths for a model of training length `context`.
    ///
    /// # Errors
    /// [`CliError::Eval`] for a length of 0, or none.
    pub fn lengths(&self, context: usize) -> Result<Lengths, CliError> {
        Ok(Lengths::new(context, &self.lengths, self.eval_tokens)?)
    }
}

/// Both figures as tables.
pub fn tables(rows: &[Row]) -> String {
    format!("{}\n{}", text_table(rows, Figure::All), text_table(rows, Figure::Last))
}

/// Run the command.
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
        measured(self, &ModelArg::open(&self.model, device)?)
    }
}

fn measured<D: TrainingDevice>(args: &Args, model: &ModelArg<D>) -> Result<Vec<Row>, CliError> {
    if let (ModelArg::Folder(_), Some(_)) = (model, args.cache) {
        return Err(CliError::NoCache(args.model.clone()));
    }
    let corpus = args.data.open()?;
    match model {
        ModelArg::Folder(folder) => {
            let model = &folder.config.model;
            let position = match &args.position_set {
                Some(settings) => amend(model.position, settings, model.context)?,
                None => model.position,
            };
            let text = text(&corpus, &folder.tokenizer, args.whole)?;
            let lengths = args.lengths.lengths(model.context)?;
            let scorer = DfdxScorer::new(&folder.model, &position);
            measure(&scorer, position.name(), folder.config.train.seed, &text, &lengths)
        }
        ModelArg::File(file) => {
            let model = file.model()?;
            let config = model.config();
            let position = match &args.position_set {
                Some(settings) => amend(config.position, settings, config.context)?,
                None => config.position,
            };
            let text = text(&corpus, &file_tokenizer(&model)?, args.whole)?;
            let lengths = args.lengths.lengths(config.context)?;
            let cache = args.cache.unwrap_or(CacheNumbers::of(&model));
            let scorer = CoreScorer::new(&model, &position).with_cache(cache);
            measure(&scorer, position.name(), 0, &text, &lengths)
        }
    }
}

/// The tokenizer inside a model file.
///
/// # Errors
/// [`CliError::Data`] when it cannot be taken over.
fn file_tokenizer(model: &Model<'_>) -> Result<Tokenizer, CliError> {
    match model.tokenizer() {
        expe_core::Tokenizer::Bytes => Ok(Tokenizer::Byte),
        expe_core::Tokenizer::Bpe(bpe) => {
            let pairs: Vec<_> =
                bpe.merges().iter().map(|[left, right, _]| (*left, *right)).collect();
            Ok(Tokenizer::from_merges(&pairs)?)
        }
    }
}

fn text(corpus: &Corpus, tokenizer: &Tokenizer, whole: bool) -> Result<Vec<u32>, CliError> {
    let data = Dataset::encode(corpus, tokenizer)?;
    Ok(if whole { data.into_whole() } else { data.validation().to_vec() })
}

/// One row per length.
fn measure(
    scorer: &impl Scorer,
    position: &str,
    seed: u64,
    text: &[u32],
    lengths: &Lengths,
) -> Result<Vec<Row>, CliError> {
    let stop = interrupt::catch()?;
    let mut task = Progress::new().task("eval", lengths.factors().len() as u64);
    let mut rows = Vec::new();
    for (step, factor) in (1..).zip(lengths.factors()) {
        let measured = perplexity(scorer, text, lengths, *factor)?;
        rows.push(row(position, seed, lengths, *factor, measured));
        task.update(step, || format!("{factor}×"));
        if stop.load(Ordering::SeqCst) {
            return Err(CliError::Interrupted { resume: None });
        }
    }
    task.finish("done");
    Ok(rows)
}

/// The perplexity of a model file on held-out text at each of `lengths`.
///
/// # Errors
/// [`CliError`].
pub fn of_file(
    file: &ModelFile,
    corpus: &Corpus,
    lengths: &LengthArgs,
) -> Result<Vec<Row>, CliError> {
    let model = file.model()?;
    let config = model.config();
    let text = text(corpus, &file_tokenizer(&model)?, false)?;
    let scorer = CoreScorer::new(&model, &config.position);
    measure(&scorer, config.position.name(), 0, &text, &lengths.lengths(config.context)?)
}
