//! `expe compare`: train and evaluate a grid of position encodings and seeds.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use expe::compare::{Event, Plan, facts, run as run_plan};
use expe::config::RunConfig;
use expe::data::Corpus;
use expe::report::{Page, ReportFiles, Row, Sample, write_report};
use expe::train::new_dataset;

use super::config_arg::{ConfigArgs, note_vocabulary};
use super::data_arg::DataArgs;
use super::device_arg::DeviceArg;
use super::eval::{LengthArgs, tables};
use super::output::{is_stdout, print, write_rows};
use super::progress::{Progress, Task};
use super::train::describe;
use super::{CliError, interrupt};

/// Arguments of `expe compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Encodings, separated by commas: NAME[:KEY=VALUE]…[@KEY=VALUE…]. Settings after `@` apply to
    /// evaluation only; NAME-cap is short for NAME@query_cap=last.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAME,…",
        default_value = "expe-cap,expe,exqpe,rope,sinusoidal,alibi"
    )]
    positions: Vec<String>,
    /// Number of models to train per encoding, with the seeds 0, 1, …
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
    /// Folder of the comparison; training runs and measurements that are finished there are not repeated.
    #[arg(long, default_value = "expe-compare", value_name = "DIR")]
    out: PathBuf,
    /// The device.
    #[command(flatten)]
    device: DeviceArg,
    /// Number of models to train at the same time [default: one per processor, one on a GPU].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Also write the rows as JSON (`-` for standard output).
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// Returns a [`CliError`]. Running the same command again continues from the finished work.
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let base = args.config.named_or("context-64")?;
    let corpus = args.data.open_or_default()?;
    let lengths = args.lengths.lengths(base.model.context)?;
    let mut plan = Plan::new(base, &args.positions, lengths, &args.out)?;
    plan.seeds = args.seeds;
    plan.device = args.device.settle()?;
    plan.jobs = args.jobs.map_or(plan.device.jobs(), usize::from);
    let compared = compare(plan, &corpus, stop)?;
    let files = compared.report("Perplexity against length", &[])?;
    if let Some(path) = &args.json {
        write_rows(path, &compared.rows)?;
        if is_stdout(path) {
            return Ok(());
        }
    }
    print(&tables(&compared.rows))?;
    print(&paths(&files))
}

/// Lists the files of a report.
pub fn paths(files: &ReportFiles) -> String {
    let plot = files.svg.as_ref().map(|svg| format!("plot:  {}\n", svg.display()));
    format!("{}page:  {}", plot.unwrap_or_default(), files.html.display())
}

/// A finished comparison.
#[derive(Debug)]
pub struct Compared {
    facts: Vec<(String, String)>,
    /// The plan, with the vocabulary size of the tokenizer.
    pub plan: Plan,
    /// The measured rows.
    pub rows: Vec<Row>,
}

/// Runs `plan` on `corpus` and shows the progress.
///
/// # Errors
/// [`CliError`].
pub fn compare(mut plan: Plan, corpus: &Corpus, stop: &AtomicBool) -> Result<Compared, CliError> {
    let started = Instant::now();
    let vocab = plan.base.model.vocab;
    let data = new_dataset(&mut plan.base, corpus)?;
    note_vocabulary(vocab, &plan.base);
    let watch = Watch::new(&plan.base);
    let rows = run_plan(&plan, &data, stop, &|event| watch.show(&event))?;
    let command: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let mut page = vec![("command".to_owned(), format!("expe {}", command.join(" ")))];
    page.extend(facts(&plan, corpus, started.elapsed()));
    Ok(Compared { facts: page, plan, rows })
}

impl Compared {
    /// Writes rows, plot and page to the folder of the comparison.
    ///
    /// # Errors
    /// [`CliError::Report`] if the report cannot be drawn or written.
    pub fn report(&self, title: &str, samples: &[Sample]) -> Result<ReportFiles, CliError> {
        let Self { facts: run, plan, rows } = self;
        Ok(write_report(&plan.folder, &Page { title, rows, run, samples })?)
    }
}

/// Shows the progress of all models at the same time.
struct Watch {
    progress: Progress,
    steps: u64,
    tasks: Mutex<HashMap<String, Task>>,
}

impl Watch {
    fn new(config: &RunConfig) -> Self {
        let steps = config.train.steps;
        Self { progress: Progress::new(), steps, tasks: Mutex::default() }
    }

    fn show(&self, event: &Event<'_>) {
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
                    None => self.progress.say(&format!("{cell}: already finished{best}")),
                }
            }
        }
    }
}
