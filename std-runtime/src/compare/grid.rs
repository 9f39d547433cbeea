use std::fs;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rayon::ThreadPoolBuilder;

use super::plan::{Cell, file_name};
use super::{CompareError, Plan};
use crate::atomic::write_atomically;
use crate::data::{Dataset, consecutive_windows};
use crate::eval::{DfdxScorer, perplexity, row};
use crate::report::{Row, read_json, write_json};
use crate::train::{self, Ending, OnDevice, Progress, TrainError, TrainingDevice};

/// What happened while a comparison runs; `cell` names the model.
#[derive(Debug)]
pub enum Event<'a> {
    /// A training step was done.
    Trained {
        /// The model.
        cell: &'a str,
        /// State of the training.
        progress: &'a Progress,
    },
    /// A perplexity was measured.
    Measured {
        /// The model.
        cell: &'a str,
        /// The result.
        row: &'a Row,
    },
    /// A model was trained and measured completely.
    Done {
        /// The model.
        cell: &'a str,
        /// Its lowest validation loss in nats per token.
        best: Option<f64>,
    },
}

/// Trains and measures all models of `plan` on `data`. Returns the rows ordered by encoding (in the order of
/// the plan), seed and length.
///
/// `stop` is checked after every training step and every measurement. Once it is set, everything is saved and
/// [`CompareError::Interrupted`] is returned; another call continues from there. `on_event` is called from
/// several threads.
///
/// # Errors
/// Returns a [`CompareError`]. Finished work is kept, and another call continues from it.
pub fn run(
    plan: &Plan,
    data: &Dataset,
    stop: &AtomicBool,
    on_event: &(dyn Fn(Event<'_>) + Sync),
) -> Result<Vec<Row>, CompareError> {
    plan.base.check().map_err(TrainError::from)?;
    // Detects a text that is too short for the longest length before any model is trained.
    consecutive_windows(data.validation(), plan.lengths.longest()).map(drop)?;
    let cells = plan.cells();
    let next = AtomicUsize::new(0);
    // Set when one model fails or when a stop was requested, so that the others stop too.
    let halt = AtomicBool::new(false);
    let results: Mutex<Vec<Result<Vec<Row>, CompareError>>> = Mutex::new(Vec::new());
    let work = || {
        while !halt.load(Ordering::SeqCst) {
            let Some(cell) = cells.get(next.fetch_add(1, Ordering::SeqCst)) else { break };
            let result = plan.device.run(Work { plan, cell, data, stop, halt: &halt, on_event });
            let failed = result.is_err();
            // Pushed before `halt` is set, so that the original failure precedes the interruptions that it
            // causes.
            if let Ok(mut results) = results.lock() {
                results.push(result);
            }
            halt.fetch_or(failed, Ordering::SeqCst);
        }
    };
    let jobs = plan.jobs.clamp(1, cells.len().max(1));
    // The results do not depend on the number of threads.
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

/// Trains and measures one cell on a device of any type.
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
        // The longest length determines which tokens are predicted, so it is part of the file name.
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
