//! `expe bench scaling`: how the time of each kind of work grows with the model and the text.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use expe_core::Config;

use super::measure::MeasureArgs;
use super::shape::{ShapeArgs, resized};
use crate::bench::{
    BenchError, Candidate, Inference, Plan, Report, Row, Slope, Task, Times, Training, alternate,
    by_length, candidates, forward_flops, peak_memory, random_model, random_tokens, step_flops,
};
use crate::cli::{CliError, interrupt};
use crate::config::RunConfig;
use crate::device::Cpu;
use crate::export::Scheme;
use crate::train::{TrainError, available_memory};

/// Arguments of `expe bench scaling`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model in the middle of it all.
    #[command(flatten)]
    shape: ShapeArgs,
    /// Longest context: prompts and decoding from 64 to here, training steps of one window as far as time
    /// and memory allow.
    #[arg(long, default_value_t = 16_384, value_name = "N", value_parser = clap::value_parser!(u32).range(64..=1 << 20))]
    longest: u32,
    /// Widest model, from 64 on.
    #[arg(long, default_value_t = 512, value_name = "N", value_parser = clap::value_parser!(u32).range(64..=1 << 16))]
    widest: u32,
    /// How long to measure; the longest texts take what they take.
    #[command(flatten)]
    measure: MeasureArgs,
}

/// A series of candidates that differ in one size.
struct Series<'a> {
    args: &'a Args,
    base: &'a RunConfig,
    stop: &'a AtomicBool,
    report: Report,
}

/// `first`, twice that, and so on up to `last`.
fn doubling(first: usize, last: usize) -> Vec<usize> {
    std::iter::successors(Some(first), |size| size.checked_mul(2))
        .take_while(|size| *size <= last)
        .collect()
}

/// Run the command.
///
/// # Errors
/// [`CliError`].
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let mut base = args.shape.config("128x4")?;
    base.train.batch = base.train.batch.min(4);
    base.model.position = match args.shape.trained_positions(&base.model)?.as_slice() {
        [(_, position)] => *position,
        several => return Err(BenchError::OnePosition { given: several.len() }.into()),
    };
    let report = Report::new("scaling");
    let mut series = Series { args, base: &base, stop, report };
    let (lengths, widths) =
        (doubling(64, args.longest as usize), doubling(64, args.widest as usize));
    series.lengths(&lengths)?;
    series.training("context", &lengths)?;
    series.widths(&widths)?;
    series.training("width", &widths)?;
    series.training("threads", &doubling(1, rayon::current_num_threads()))?;
    args.measure.show(&Report { peak_memory: peak_memory(), ..series.report })
}

impl Series<'_> {
    /// The rounds of a series, in its share of the time.
    fn plan(&self) -> Plan {
        let plan = self.args.measure.plan();
        Plan { time: plan.time / 5, ..plan }
    }

    /// Keep what was found of a series: `(size, row)`.
    fn keep(&mut self, against: &'static str, found: Vec<(usize, Row)>) {
        let points: Vec<_> = found.iter().map(|(size, row)| (*size, row.seconds.median)).collect();
        let work = found.first().map_or("", |(_, row)| row.work);
        self.report.slopes.extend(Slope::fit(work, against, &points));
        self.report.rows.extend(found.into_iter().map(|(_, row)| row));
    }

    /// Prompts and decoding, by the length of the text.
    fn lengths(&mut self, lengths: &[usize]) -> Result<(), CliError> {
        let mut config = self.base.model;
        config.context = config.context.max(2 * lengths.last().copied().unwrap_or(0));
        let file = random_model(&config, Scheme::F32)?;
        let model = file.model()?;
        // One pass reads the longest text: a few are enough, and all there is time for.
        let rounds = self.args.measure.plan().rounds.min(3);
        let found = by_length(&model, lengths, rounds, self.stop)?;
        let Some(first) = found.first() else { return Ok(()) };
        let prefill = found.iter().map(|length| {
            let task = Task::Prefill { tokens: length.tokens };
            let place = ("context", length.tokens);
            (length.tokens, row(&config, task, place, &length.prefill, &first.prefill))
        });
        self.keep("context", prefill.collect());
        let decode = found.iter().map(|length| {
            let task = Task::Decode { past: length.tokens, tokens: 1 };
            let place = ("context", length.tokens);
            (length.tokens, row(&config, task, place, &length.decode, &first.decode))
        });
        self.keep("context", decode.collect());
        Ok(())
    }

    /// Prompts and decoding, by the width of the model.
    fn widths(&mut self, widths: &[usize]) -> Result<(), CliError> {
        let configs = widths
            .iter()
            .map(|width| Ok(resized(self.base, *width)?.model))
            .collect::<Result<Vec<_>, CliError>>()?;
        let files = configs
            .iter()
            .map(|config| random_model(config, Scheme::F32))
            .collect::<Result<Vec<_>, _>>()?;
        let models = files.iter().map(|file| file.model()).collect::<Result<Vec<_>, _>>()?;
        for task in [Task::Prefill { tokens: 64 }, Task::Decode { past: 0, tokens: 16 }] {
            let mut buffers = Inference::all_buffers(&models, task)?;
            let mut candidates = candidates(&models, &mut buffers, task)?;
            let times = alternate(&mut candidates, self.plan(), self.stop)?;
            drop(candidates);
            let Some(first) = times.first() else { continue };
            let rows =
                widths.iter().zip(&configs).zip(&times).map(|((width, config), measured)| {
                    (*width, row(config, task, ("width", *width), measured, first))
                });
            self.keep("width", rows.collect());
        }
        Ok(())
    }

    /// Say where a series of training steps ended, if sizes were left out.
    fn ended(&mut self, against: &str, sizes: &[usize], done: usize, why: &str) {
        let Some((left, last)) = sizes.get(done).zip(sizes.last()) else { return };
        let range = if left == last { left.to_string() } else { format!("{left} to {last}") };
        self.report.notes.push(format!("train against {against}: {range} left out: {why}"));
    }

    /// Training steps, by a size; from the smallest on as far as time and memory allow.
    fn training(&mut self, against: &'static str, sizes: &[usize]) -> Result<(), CliError> {
        let mut configs = Vec::new();
        for size in sizes {
            let mut config = self.base.clone();
            match against {
                "context" => {
                    config.model.context = *size;
                    config.train.batch = 1;
                }
                "width" => config = resized(self.base, *size)?,
                _ => {}
            }
            configs.push((*size, config));
        }
        let longest = configs.iter().map(|(_, config)| config.model.context).max().unwrap_or(0);
        let model = Config { context: longest, ..self.base.model };
        let tokens = random_tokens(&RunConfig { model, ..self.base.clone() });
        let mut plan = self.plan();
        let mut budget = plan.time;
        if against == "context" {
            // The longest texts take what they take: a few rounds, in all the time there is.
            plan.rounds = plan.rounds.min(3);
            budget = self.args.measure.plan().time;
        }
        let all = rayon::current_num_threads();
        let threads = |size| if against == "threads" { size } else { all };
        let mut candidates: Vec<Box<dyn Candidate + '_>> = Vec::new();
        for (size, config) in &configs {
            let mut candidate =
                match Training::new(config, &tokens, threads(*size), &Cpu::default()) {
                    Err(BenchError::Train(source @ TrainError::Memory { .. })) => {
                        let why = format!("at {size}, {source}");
                        self.ended(against, sizes, candidates.len(), &why);
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
            // The next one takes up to four times as much time, in every round, and memory.
            let rounds = u32::try_from(plan.rounds).unwrap_or(u32::MAX);
            let memory = peak_memory().zip(available_memory());
            let why = if started.elapsed().saturating_mul(4).saturating_mul(rounds) > budget {
                "the next one may take more time than there is; a longer --seconds goes further"
            } else if memory.is_some_and(|(peak, available)| peak.saturating_mul(4) > available) {
                "the next one may take more memory than there is"
            } else {
                continue;
            };
            self.ended(against, sizes, candidates.len(), why);
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
                ..Row::of("train", &config.model, measured, first)
            };
            (*size, row)
        });
        let rows = rows.collect();
        self.keep(against, rows);
        Ok(())
    }
}

/// The row of a prompt or of decoding.
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
        ..Row::of(work, config, measured, first)
    }
}
