use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rayon::ThreadPoolBuilder;

use super::{CompareError, PositionSpec};
use crate::atomic::write_atomically;
use crate::config::RunConfig;
use crate::data::Dataset;
use crate::device::{ChosenDevice, OnDevice};
use crate::eval::{DfdxScorer, Lengths, perplexity, row};
use crate::report::{Row, read_json, write_json};
use crate::train::{self, Ending, Progress, TrainingDevice};

/// What to train and to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The configuration of every model, but for the position encoding and the seed.
    pub base: RunConfig,
    /// The encodings.
    pub specs: Vec<PositionSpec>,
    /// Seeds 0, 1, … of each encoding.
    pub seeds: u64,
    /// The lengths and how much text to measure at each.
    pub lengths: Lengths,
    /// What they are trained and measured on.
    pub device: ChosenDevice,
    /// Models that are trained at a time.
    pub jobs: usize,
    /// The comparison's folder.
    pub folder: PathBuf,
}

/// What happens while a comparison runs; `cell` names the model.
#[derive(Debug)]
pub enum Event<'a> {
    /// A training step is done.
    Trained {
        /// The model.
        cell: &'a str,
        /// How it goes.
        progress: &'a Progress,
    },
    /// A perplexity is measured.
    Measured {
        /// The model.
        cell: &'a str,
        /// The figures.
        row: &'a Row,
    },
    /// All of a model is done.
    Done {
        /// The model.
        cell: &'a str,
        /// Its lowest validation loss in nats per token, if it was trained just now.
        best: Option<f64>,
    },
}

/// One model to train, and everything to measure of it.
struct Cell<'p> {
    name: String,
    config: RunConfig,
    variants: Vec<&'p PositionSpec>,
}

impl Plan {
    /// The models of the plan: specifications that are trained alike share one.
    fn cells(&self) -> Vec<Cell<'_>> {
        let mut cells: Vec<Cell<'_>> = Vec::new();
        for seed in 0..self.seeds {
            for spec in &self.specs {
                let name = cell_name(spec, seed);
                if let Some(cell) = cells.iter_mut().find(|cell| cell.name == name) {
                    cell.variants.push(spec);
                    continue;
                }
                let mut config = self.base.clone();
                config.train.seed = seed;
                config.model.position = spec.trained;
                cells.push(Cell { name, config, variants: vec![spec] });
            }
        }
        cells
    }

    /// Where the model of `spec` and `seed` is trained.
    pub fn run_folder(&self, spec: &PositionSpec, seed: u64) -> PathBuf {
        self.cell_folder(&cell_name(spec, seed))
    }

    fn cell_folder(&self, name: &str) -> PathBuf {
        self.folder.join("runs").join(name)
    }
}

fn cell_name(spec: &PositionSpec, seed: u64) -> String {
    format!("{}-seed{seed}", file_name(&spec.trained_label))
}

/// A label as a file name.
fn file_name(label: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-._=".contains(c) { c } else { '_' };
    label.chars().map(plain).collect()
}

/// Train and measure everything in `plan`; the rows come in the order of its specifications, seeds
/// and lengths.
///
/// `stop` is looked at all the time; once it is set, everything is saved and the same call goes on.
///
/// # Errors
/// [`CompareError`]; what was done stays.
pub fn run(
    plan: &Plan,
    data: &Dataset,
    stop: &AtomicBool,
    on_event: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Vec<Row>, CompareError> {
    let cells = plan.cells();
    let next = AtomicUsize::new(0);
    // Set when one model fails, or when everything is asked to stop: the others stop too.
    let halt = AtomicBool::new(false);
    let results: Mutex<Vec<Result<Vec<Row>, CompareError>>> = Mutex::new(Vec::new());
    let work = || {
        while !halt.load(Ordering::SeqCst) {
            let Some(cell) = cells.get(next.fetch_add(1, Ordering::SeqCst)) else { break };
            let done = plan.device.run(Work { plan, cell, data, stop, halt: &halt, on_event });
            let failed = done.is_err();
            // The first failure comes first; what is interrupted by it comes later.
            if let Ok(mut results) = results.lock() {
                results.push(done);
            }
            halt.fetch_or(failed, Ordering::SeqCst);
        }
    };
    let jobs = plan.jobs.clamp(1, cells.len().max(1));
    // The processors are divided among the jobs; how does not change a bit of the results.
    let threads = (rayon::current_num_threads() / jobs).max(1);
    let pools = (0..jobs)
        .map(|_| ThreadPoolBuilder::new().num_threads(threads).build())
        .collect::<Result<Vec<_>, _>>()
        .map_err(io::Error::other)?;
    thread::scope(|scope| {
        for pool in &pools {
            scope.spawn(|| pool.install(work));
        }
    });
    let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut rows = results.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    let place = |row: &Row| plan.specs.iter().position(|spec| spec.label == row.position);
    rows.sort_by_key(|row| (place(row), row.seed, row.length));
    Ok(rows)
}

/// A cell, to train and to measure on any device.
struct Work<'a> {
    plan: &'a Plan,
    cell: &'a Cell<'a>,
    data: &'a Dataset,
    stop: &'a AtomicBool,
    halt: &'a AtomicBool,
    on_event: &'a (dyn Fn(Event<'_>) + Sync),
}

impl OnDevice for Work<'_> {
    type Output = Vec<Row>;
    type Error = CompareError;

    fn run<D: TrainingDevice>(self, device: &D) -> Result<Vec<Row>, CompareError> {
        run_cell(&self, device)
    }
}

fn run_cell<D: TrainingDevice>(work: &Work<'_>, device: &D) -> Result<Vec<Row>, CompareError> {
    let Work { plan, cell, data, stop, halt, on_event } = work;
    let Cell { name, config, variants } = cell;
    let folder = plan.cell_folder(name);
    let train_error = |source| CompareError::Train { cell: name.clone(), source: Box::new(source) };
    let eval_error = |source| CompareError::Eval { cell: name.clone(), source: Box::new(source) };
    let mut show = |progress: &Progress| {
        halt.fetch_or(stop.load(Ordering::SeqCst), Ordering::SeqCst);
        on_event(Event::Trained { cell: name, progress });
    };
    let outcome =
        train::run(device, config, data, &folder, true, halt, &mut show).map_err(train_error)?;
    if outcome.ending == Ending::Interrupted {
        return Err(CompareError::Interrupted);
    }
    let (_, model) = train::load_model(&folder, device).map_err(train_error)?;
    let mut rows = Vec::new();
    for spec in variants {
        // Other lengths predict other tokens, so they are other figures.
        let (label, longest) = (file_name(&spec.label), plan.lengths.longest());
        let path = folder.join(format!("rows-{label}-{}-{longest}.json", plan.lengths.tokens()));
        let kept = read_rows(&path)?;
        let scorer = DfdxScorer::new(&model, &spec.evaluated);
        let mut measured = Vec::new();
        for factor in plan.lengths.factors() {
            if stop.load(Ordering::SeqCst) || halt.load(Ordering::SeqCst) {
                return Err(CompareError::Interrupted);
            }
            let row = match kept.iter().find(|row| row.factor == *factor as f64) {
                Some(row) => row.clone(),
                None => {
                    let figures = perplexity(&scorer, data.validation(), &plan.lengths, *factor)
                        .map_err(eval_error)?;
                    row(&spec.label, config.train.seed, &plan.lengths, *factor, figures)
                }
            };
            on_event(Event::Measured { cell: name, row: &row });
            measured.push(row);
        }
        write_atomically(&path, |file| write_json(&measured, file))?;
        rows.append(&mut measured);
    }
    let best = outcome.best.map(|best| best.loss);
    on_event(Event::Done { cell: name, best });
    Ok(rows)
}

fn read_rows(path: &Path) -> Result<Vec<Row>, CompareError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            read_json(&text).map_err(|source| CompareError::Rows { path: path.to_owned(), source })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
