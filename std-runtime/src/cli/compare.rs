//! `expe compare`: train and evaluate a grid of position encodings and seeds.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::thread;

use super::data_arg::{DataArgs, tokenizer};
use super::eval::{LengthArgs, Rows};
use super::output::{print, write_json};
use super::progress::{Progress, Task};
use super::train::{ConfigArgs, describe};
use super::{CliError, interrupt};
use crate::atomic::write_atomically;
use crate::compare::{CompareError, Event, Plan, PositionSpec, run as run_plan};
use crate::config::RunConfig;
use crate::data::{Corpus, Dataset};
use crate::report::{Figure, Row, plot_svg, text_table, write_csv};
use crate::train::{TOKENIZER_FILE, TrainError};

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
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
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
    /// Models to train at a time [default: one per processor].
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
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
        jobs: args.jobs,
    };
    let Compared { rows, .. } = comparison.run(config, &corpus, stop)?;
    if let Some(path) = &args.json {
        write_json(path, &Rows { rows: &rows })?;
        if path.as_os_str() == "-" {
            return Ok(());
        }
    }
    print(&tables(&rows))?;
    print(&format!(
        "\nplot: {}\npage: {}",
        args.out.join(PLOT_FILE).display(),
        args.out.join(PAGE_FILE).display()
    ))
}

/// Name of the plot in a comparison's folder.
pub const PLOT_FILE: &str = "perplexity.svg";
/// Name of the page in a comparison's folder.
pub const PAGE_FILE: &str = "index.html";
const CSV_FILE: &str = "comparison.csv";

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
    /// Models at a time; one per processor if not given.
    pub jobs: Option<usize>,
}

/// A comparison that was made.
#[derive(Debug)]
pub struct Compared {
    /// What was trained, with the vocabulary of the tokenizer.
    pub plan: Plan,
    /// What was measured.
    pub rows: Vec<Row>,
}

impl Comparison<'_> {
    /// Train and measure everything, and write rows, table, plot and page.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn run(
        &self,
        mut base: RunConfig,
        corpus: &Corpus,
        stop: &AtomicBool,
    ) -> Result<Compared, CliError> {
        let model = &base.model;
        let specs = self
            .specs
            .iter()
            .map(|spec| PositionSpec::parse(spec, model.width, model.context))
            .collect::<Result<_, _>>()?;
        let lengths = self.lengths.lengths(model.context)?;
        let tokenizer = tokenizer(&mut base, corpus)?;
        base.check().map_err(TrainError::from)?;
        let data = Dataset::encode(corpus, &tokenizer)?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let plan = Plan {
            base,
            specs,
            seeds: self.seeds,
            lengths,
            jobs: self.jobs.unwrap_or(cores),
            folder: self.folder.to_owned(),
        };
        tokenizer.save(&self.folder.join(TOKENIZER_FILE))?;
        let watch = Watch::new(plan.base.train.steps);
        let rows = run_plan(&plan, &data, &tokenizer, stop, &|event| watch.see(&event))?;
        self.report(&rows)?;
        Ok(Compared { plan, rows })
    }

    fn report(&self, rows: &[Row]) -> Result<(), CliError> {
        let failed = |source| CliError::Compare(CompareError::Io(source));
        let svg = plot_svg(&self.title, rows)?;
        let file = |name| self.folder.join(name);
        write_atomically(&file(PLOT_FILE), |to| to.write_all(svg.as_bytes())).map_err(failed)?;
        write_atomically(&file(CSV_FILE), |to| write_csv(rows, to)).map_err(failed)
    }
}

/// Both figures as tables.
pub fn tables(rows: &[Row]) -> String {
    let table =
        |figure: Figure| format!("perplexity, {}\n{}", figure.title(), text_table(rows, figure));
    format!("{}\n{}", table(Figure::All), table(Figure::Last))
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
