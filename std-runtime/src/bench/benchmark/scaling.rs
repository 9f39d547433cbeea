use std::sync::atomic::AtomicBool;
use std::time::Instant;

use expe_core::Config;

use crate::bench::{
    BenchError, Candidate, Inference, Plan, Report, Row, Slope, Task, Times, Training, alternate,
    by_length, candidates, forward_flops, peak_memory, random_model, random_tokens, resized,
    step_flops,
};
use crate::config::RunConfig;
use crate::device::Cpu;
use crate::export::Scheme;
use crate::train::{TrainError, available_memory};

/// Benchmark of how the time of training, decoding and prompts depends on the length of the text, the width of the
/// model and the number of threads.
#[derive(Debug, Clone)]
pub struct ScalingBenchmark {
    /// The model; each series changes one of its sizes.
    pub base: RunConfig,
    /// Longest context. Prompts and decoding are measured from 64 up to this length, training steps of one window
    /// as far as time and memory allow.
    pub longest: usize,
    /// Largest model width. The smallest is 64.
    pub widest: usize,
    /// How long to measure. The longest texts take more time.
    pub plan: Plan,
}

/// Maximum number of windows in a training step.
const BATCH: usize = 4;

impl ScalingBenchmark {
    /// Runs the benchmark.
    ///
    /// # Errors
    /// [`BenchError`] for sizes that do not fit together, and when interrupted.
    pub fn run(&self, stop: &AtomicBool) -> Result<Report, BenchError> {
        let mut base = self.base.clone();
        base.train.batch = base.train.batch.min(BATCH);
        let mut series =
            Series { base: &base, plan: self.plan, stop, report: Report::new("scaling") };
        let (lengths, widths) = (doubling(64, self.longest), doubling(64, self.widest));
        series.lengths(&lengths)?;
        series.training("context", &lengths)?;
        series.widths(&widths)?;
        series.training("width", &widths)?;
        series.training("threads", &doubling(1, rayon::current_num_threads()))?;
        Ok(Report { peak_memory: peak_memory(), ..series.report })
    }
}

/// Returns `first`, `2·first`, `4·first` and so on up to `last`.
fn doubling(first: usize, last: usize) -> Vec<usize> {
    std::iter::successors(Some(first), |size| size.checked_mul(2))
        .take_while(|size| *size <= last)
        .collect()
}

/// Measures series of candidates that differ in one size.
struct Series<'a> {
    base: &'a RunConfig,
    plan: Plan,
    stop: &'a AtomicBool,
    report: Report,
}

impl Series<'_> {
    /// Returns the plan of one series, with its share of the time.
    fn share(&self) -> Plan {
        Plan { time: self.plan.time / 5, ..self.plan }
    }

    /// Adds the rows of a series, each with its size, and the slope fitted to them.
    fn add(&mut self, against: &'static str, found: Vec<(usize, Row)>) {
        let points: Vec<_> = found.iter().map(|(size, row)| (*size, row.seconds.median)).collect();
        let work = found.first().map_or("", |(_, row)| row.work);
        self.report.slopes.extend(Slope::fit(work, against, &points));
        self.report.rows.extend(found.into_iter().map(|(_, row)| row));
    }

    /// Measures prompts and decoding by the length of the text.
    fn lengths(&mut self, lengths: &[usize]) -> Result<(), BenchError> {
        let mut config = self.base.model;
        config.context = config.context.max(2 * lengths.last().copied().unwrap_or(0));
        let file = random_model(&config, Scheme::F32)?;
        let model = file.model()?;
        // Every round reads the longest text, so there is time for only a few rounds.
        let found = by_length(&model, lengths, self.plan.rounds.min(3), self.stop)?;
        let Some(first) = found.first() else { return Ok(()) };
        let prefill = found.iter().map(|length| {
            let task = Task::Prefill { tokens: length.tokens };
            let size = ("context", length.tokens);
            (length.tokens, row(&config, task, size, &length.prefill, &first.prefill))
        });
        self.add("context", prefill.collect());
        let decode = found.iter().map(|length| {
            let task = Task::Decode { past: length.tokens, tokens: 1 };
            let size = ("context", length.tokens);
            (length.tokens, row(&config, task, size, &length.decode, &first.decode))
        });
        self.add("context", decode.collect());
        Ok(())
    }

    /// Measures prompts and decoding by the width of the model.
    fn widths(&mut self, widths: &[usize]) -> Result<(), BenchError> {
        let configs = widths
            .iter()
            .map(|width| Ok(resized(self.base, *width)?.model))
            .collect::<Result<Vec<_>, BenchError>>()?;
        let files = configs
            .iter()
            .map(|config| random_model(config, Scheme::F32))
            .collect::<Result<Vec<_>, _>>()?;
        let models = files.iter().map(|file| file.model()).collect::<Result<Vec<_>, _>>()?;
        for task in [Task::Prefill { tokens: 64 }, Task::Decode { past: 0, tokens: 16 }] {
            let mut buffers = Inference::all_buffers(&models, task)?;
            let mut candidates = candidates(&models, &mut buffers, task)?;
            let times = alternate(&mut candidates, self.share(), self.stop)?;
            drop(candidates);
            let Some(first) = times.first() else { continue };
            let rows =
                widths.iter().zip(&configs).zip(&times).map(|((width, config), measured)| {
                    (*width, row(config, task, ("width", *width), measured, first))
                });
            self.add("width", rows.collect());
        }
        Ok(())
    }

    /// Measures training steps by the size `against`, in increasing order as far as time and memory allow.
    fn training(&mut self, against: &'static str, sizes: &[usize]) -> Result<(), BenchError> {
        let configs = self.training_configs(against, sizes)?;
        let longest = configs.iter().map(|(_, config)| config.model.context).max().unwrap_or(0);
        let model = Config { context: longest, ..self.base.model };
        let tokens = random_tokens(&RunConfig { model, ..self.base.clone() });
        let mut plan = self.share();
        let mut budget = plan.time;
        if against == "context" {
            // Only a few rounds, so that there is time for the longest texts.
            plan.rounds = plan.rounds.min(3);
            budget = self.plan.time;
        }
        let all = rayon::current_num_threads();
        let threads = |size| if against == "threads" { size } else { all };
        let mut candidates: Vec<Box<dyn Candidate + '_>> = Vec::new();
        for (size, config) in &configs {
            let mut candidate =
                match Training::new(config, &tokens, threads(*size), &Cpu::default()) {
                    Err(BenchError::Train(source @ TrainError::Memory { .. })) => {
                        let why = format!("at {size}, {source}");
                        self.note_end(against, sizes, candidates.len(), &why);
                        break;
                    }
                    candidate => candidate?,
                };
            if candidates.len() + 1 == configs.len() {
                candidates.push(Box::new(candidate));
                break;
            }
            let started = Instant::now();
            candidate.run()?;
            candidates.push(Box::new(candidate));
            // Doubling a size may take four times the time in every round, and four times the memory.
            let rounds = u32::try_from(plan.rounds).unwrap_or(u32::MAX);
            let memory = peak_memory().zip(available_memory());
            let why = if started.elapsed().saturating_mul(4).saturating_mul(rounds) > budget {
                "the next size may exceed the time; a longer measurement includes more sizes"
            } else if memory.is_some_and(|(peak, available)| peak.saturating_mul(4) > available) {
                "the next size may exceed the memory"
            } else {
                continue;
            };
            self.note_end(against, sizes, candidates.len(), why);
            break;
        }
        let times = alternate(&mut candidates, plan, self.stop)?;
        drop(candidates);
        let Some(first) = times.first() else { return Ok(()) };
        let rows = configs.iter().zip(&times).map(|((size, config), measured)| {
            let row = Row {
                candidate: format!("{against} {size}"),
                threads: threads(*size),
                tokens: config.tokens_per_step() as usize,
                flops: step_flops(&config.model, config.train.batch * config.train.accumulate),
                ..Row::new("train", &config.model, measured, first)
            };
            (*size, row)
        });
        let rows = rows.collect();
        self.add(against, rows);
        Ok(())
    }

    fn training_configs(
        &self,
        against: &'static str,
        sizes: &[usize],
    ) -> Result<Vec<(usize, RunConfig)>, BenchError> {
        let configs = sizes.iter().map(|size| {
            let mut config = self.base.clone();
            match against {
                "context" => {
                    config.model.context = *size;
                    config.train.batch = 1;
                }
                "width" => config = resized(self.base, *size)?,
                _ => {}
            }
            Ok((*size, config))
        });
        configs.collect()
    }

    /// Adds a note if sizes at the end of a series of training steps were skipped.
    fn note_end(&mut self, against: &str, sizes: &[usize], done: usize, why: &str) {
        let Some((next, last)) = sizes.get(done).zip(sizes.last()) else { return };
        let range = if next == last { next.to_string() } else { format!("{next} to {last}") };
        self.report.notes.push(format!("train against {against}: {range} skipped: {why}"));
    }
}

/// Returns the row for reading a prompt or decoding.
fn row(
    config: &Config,
    task: Task,
    (against, size): (&str, usize),
    measured: &Times,
    first: &Times,
) -> Row {
    let (tokens, keys) = (task.tokens(), task.mean_keys());
    let (work, past) = match task {
        Task::Prefill { .. } => ("prefill", None),
        Task::Decode { past, .. } => ("decode", Some(past)),
    };
    Row {
        candidate: format!("{against} {size}"),
        tokens,
        past,
        flops: tokens as f64 * forward_flops(config, keys, past.is_some()),
        ..Row::new(work, config, measured, first)
    }
}
