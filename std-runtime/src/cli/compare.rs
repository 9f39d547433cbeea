//! `expe compare`: train and evaluate a grid of position encodings and seeds.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use expe_core::format::layout;

use super::data_arg::{DataArgs, tokenizer};
use super::device_arg::DeviceArg;
use super::eval::{LengthArgs, tables};
use super::output::{is_stdout, print, write_rows};
use super::progress::{Progress, Task};
use super::text::bytes;
use super::train::{ConfigArgs, describe};
use super::{CliError, interrupt};
use crate::compare::{Event, Plan, PositionSpec, run as run_plan};
use crate::config::RunConfig;
use crate::data::{Corpus, Dataset, consecutive_windows};
use crate::device::ChosenDevice;
use crate::report::{Page, ReportFiles, Row, Sample, write_report};
use crate::train::TrainError;

/// Arguments of `expe compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Encodings, separated by commas: NAME[:KEY=VALUE]…[@KEY=VALUE…]; what stands behind `@` is for
    /// evaluation only, NAME-cap is short for NAME@query_cap=last.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAME,…",
        default_value = "expe-cap,expe,exqpe,rope,sinusoidal,alibi"
    )]
    positions: Vec<String>,
    /// Models to train per encoding, with seeds 0, 1, …
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// What and how to train.
    #[command(flatten)]
    config: ConfigArgs,
    /// Where the text comes from [default: the Rust sources that cargo unpacked].
    #[command(flatten)]
    data: DataArgs,
    /// Which lengths to measure.
    #[command(flatten)]
    lengths: LengthArgs,
    /// The folder for everything; what is in it already is not done again.
    #[arg(long, default_value = "expe-compare", value_name = "DIR")]
    out: PathBuf,
    /// The device.
    #[command(flatten)]
    device: DeviceArg,
    /// Models to train at a time [default: one per processor, one on a GPU].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Also write the rows as JSON (`-` for standard output).
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Run the command.
///
/// # Errors
/// [`CliError`]; the same command goes on from there.
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let config = args.config.named_or("context-64")?;
    let corpus = args.data.open_or_default()?;
    let specs: Vec<&str> = args.positions.iter().map(String::as_str).collect();
    let comparison = Comparison {
        title: "Perplexity against length".to_owned(),
        folder: &args.out,
        specs: &specs,
        seeds: args.seeds,
        lengths: &args.lengths,
        device: args.device.settle()?,
        jobs: args.jobs,
    };
    let compared = comparison.run(config, &corpus, stop)?;
    let files = compared.report(&[])?;
    if let Some(path) = &args.json {
        write_rows(path, &compared.rows)?;
        if is_stdout(path) {
            return Ok(());
        }
    }
    print(&tables(&compared.rows))?;
    print(&places(&files))
}

/// Where the files of a report are.
pub fn places(files: &ReportFiles) -> String {
    let plot = files.svg.as_ref().map(|svg| format!("plot:  {}\n", svg.display()));
    format!("{}page:  {}", plot.unwrap_or_default(), files.html.display())
}

/// A comparison to make.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// Title of plot and page.
    pub title: String,
    /// Where everything goes.
    pub folder: &'a Path,
    /// The encodings, as they were written.
    pub specs: &'a [&'a str],
    /// Seeds of each.
    pub seeds: u64,
    /// Lengths to measure.
    pub lengths: &'a LengthArgs,
    /// What to train and to measure on.
    pub device: ChosenDevice,
    /// Models at a time; if not given, what suits the device.
    pub jobs: Option<u16>,
}

/// A comparison that was made.
#[derive(Debug)]
pub struct Compared {
    title: String,
    run: Vec<(String, String)>,
    /// What was trained, with the vocabulary of the tokenizer.
    pub plan: Plan,
    /// What was measured.
    pub rows: Vec<Row>,
}

impl Comparison<'_> {
    /// Train and measure everything.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn run(
        &self,
        mut base: RunConfig,
        corpus: &Corpus,
        stop: &AtomicBool,
    ) -> Result<Compared, CliError> {
        let started = Instant::now();
        let model = &base.model;
        let mut specs: Vec<PositionSpec> = Vec::new();
        for spec in self.specs {
            let spec = PositionSpec::parse(spec, model.width, model.context)?;
            if !specs.contains(&spec) {
                specs.push(spec);
            }
        }
        let lengths = self.lengths.lengths(model.context)?;
        let tokenizer = tokenizer(&mut base, corpus)?;
        base.check().map_err(TrainError::from)?;
        let data = Dataset::encode(corpus, &tokenizer)?;
        // A text that is too short for the longest length is found out before anything is trained.
        consecutive_windows(data.validation(), lengths.longest()).map(drop)?;
        let plan = Plan {
            base,
            specs,
            seeds: self.seeds,
            lengths,
            device: self.device.clone(),
            jobs: self.jobs.map_or(self.device.jobs(), usize::from),
            folder: self.folder.to_owned(),
        };
        let watch = Watch::new(plan.base.train.steps);
        let rows = run_plan(&plan, &data, stop, &|event| watch.see(&event))?;
        let run = description(&plan, corpus, started.elapsed());
        Ok(Compared { title: self.title.clone(), run, plan, rows })
    }
}

impl Compared {
    /// Write rows, plot and page into the comparison's folder.
    ///
    /// # Errors
    /// [`CliError::Report`].
    pub fn report(&self, samples: &[Sample]) -> Result<ReportFiles, CliError> {
        let Self { title, run, plan, rows } = self;
        Ok(write_report(&plan.folder, &Page { title, rows, run, samples })?)
    }
}

/// What was run, for the page.
fn description(plan: &Plan, corpus: &Corpus, time: Duration) -> Vec<(String, String)> {
    let (model, train) = (&plan.base.model, &plan.base.train);
    let command: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let parameters: usize = layout(model).map(|tensor| tensor.rows * tensor.columns).sum();
    let seen = train.steps as usize * train.batch * train.accumulate * model.context;
    let facts = [
        ("command", format!("expe {}", command.join(" "))),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("text", format!("{} in {} files", bytes(corpus.bytes()), corpus.documents().len())),
        (
            "model",
            format!(
                "{} layers, width {}, {} heads, vocabulary {}, about {parameters} parameters",
                model.layers, model.width, model.heads, model.vocab
            ),
        ),
        (
            "training",
            format!(
                "{} steps of {} windows of {} tokens ({seen} tokens) per model, {} seed(s)",
                train.steps,
                train.batch * train.accumulate,
                model.context,
                plan.seeds
            ),
        ),
        ("device", plan.device.to_string()),
        ("measured on", format!("at most {} held-out tokens per length", plan.lengths.tokens())),
        ("time", format!("{:.0} s, less what was there already", time.as_secs_f64())),
    ];
    facts.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Shows the progress of all models at once.
struct Watch {
    progress: Progress,
    steps: u64,
    tasks: Mutex<HashMap<String, Task>>,
}

impl Watch {
    fn new(steps: u64) -> Self {
        Self { progress: Progress::new(), steps, tasks: Mutex::default() }
    }

    fn see(&self, event: &Event<'_>) {
        let Ok(mut tasks) = self.tasks.lock() else { return };
        match event {
            Event::Trained { cell, progress } => tasks
                .entry((*cell).to_owned())
                .or_insert_with(|| self.progress.task(cell, self.steps))
                .update(progress.step, || describe(progress)),
            Event::Measured { cell, row } => {
                if let Some(task) = tasks.get_mut(*cell) {
                    task.update(self.steps, || format!("measuring at {}×", row.factor));
                }
            }
            Event::Done { cell, best } => {
                let best =
                    best.map_or(String::new(), |best| format!(", validation loss {best:.3}"));
                match tasks.remove(*cell) {
                    Some(task) => task.finish(&format!("trained and measured{best}")),
                    None => self.progress.say(&format!("{cell}: was there already{best}")),
                }
            }
        }
    }
}
