use std::sync::atomic::AtomicBool;

use expe_core::Config;
use expe_core::internals::SUPPORTED;

use crate::bench::{
    BenchError, Candidate, Inference, NamedPositions, Plan, Report, Row, Task, Times, Training,
    Variant, alternate, candidates, forward_flops, position_costs, random_model, random_tokens,
    step_flops,
};
use crate::config::{RunConfig, SpecError, position};
use crate::device::Cpu;
use crate::export::Scheme;

/// Benchmark of the cost of each position encoding, alone and as part of decoding, prompts and training.
#[derive(Debug, Clone)]
pub struct PositionsBenchmark {
    /// The model. For training, its vocabulary is limited to 512.
    pub base: RunConfig,
    /// The encodings, or all if empty. The references `none` and `rope` are added if they are missing.
    pub positions: NamedPositions,
    /// Number of keys that a query attends to, and of tokens in a prompt.
    pub keys: u32,
    /// Training length. The default is `keys`, but at most 128.
    pub window: Option<usize>,
    /// Number of threads for training.
    pub threads: usize,
    /// How long to measure.
    pub plan: Plan,
}

/// Number of windows in a training step; small, because there is a candidate for every encoding.
const BATCH: usize = 4;
/// Maximum default length of a training window.
const WINDOW: usize = 128;
/// Number of tokens decoded in a turn.
const DECODED: usize = 16;

impl PositionsBenchmark {
    /// Runs the benchmark.
    ///
    /// # Errors
    /// [`BenchError`] for encodings that do not fit the model, and when interrupted.
    pub fn run(&self, stop: &AtomicBool) -> Result<Report, BenchError> {
        let mut base = self.base.clone();
        base.model.context = self.keys as usize + DECODED;
        let positions = self.encodings(&base.model)?;
        let plan = Plan { time: self.plan.time / 4, ..self.plan };
        let costs = position_costs(&base, &variants(&positions), self.keys, plan, stop)?;
        let mut rows = self.inference(&base, &positions, plan, stop)?;
        rows.extend(self.training(base, &positions, plan, stop)?);
        Ok(Report { positions: costs, rows, ..Report::new("positions") })
    }

    /// Returns the encodings to measure, `none` first.
    fn encodings(&self, model: &Config) -> Result<NamedPositions, BenchError> {
        let default = |name: &str| {
            let position = position(name, model.width).map_err(SpecError::from)?;
            Ok::<_, BenchError>((name.to_owned(), position))
        };
        let mut found = match self.positions.is_empty() {
            true => SUPPORTED.iter().map(|name| default(name)).collect::<Result<_, _>>()?,
            false => self.positions.clone(),
        };
        for name in ["rope", "none"] {
            if !found.iter().any(|(other, _)| other == name) {
                found.insert(0, default(name)?);
            }
        }
        found.sort_by_key(|(name, _)| name != "none");
        Ok(found)
    }

    /// Measures decoding and prompts.
    fn inference(
        &self,
        base: &RunConfig,
        positions: &NamedPositions,
        plan: Plan,
        stop: &AtomicBool,
    ) -> Result<Vec<Row>, BenchError> {
        let keys = self.keys as usize;
        let configs: Vec<Config> = positions
            .iter()
            .map(|(_, position)| Config { position: *position, ..base.model })
            .collect();
        let files = configs
            .iter()
            .map(|config| random_model(config, Scheme::F32))
            .collect::<Result<Vec<_>, _>>()?;
        let models = files.iter().map(|file| file.model()).collect::<Result<Vec<_>, _>>()?;
        let mut rows = Vec::new();
        for task in [Task::Decode { past: keys, tokens: DECODED }, Task::Prefill { tokens: keys }] {
            let mut buffers = Inference::all_buffers(&models, task)?;
            let mut candidates = candidates(&models, &mut buffers, task)?;
            let times = alternate(&mut candidates, plan, stop)?;
            let (work, past) = match task {
                Task::Decode { past, .. } => ("decode", Some(past)),
                Task::Prefill { .. } => ("prefill", None),
            };
            rows.extend(rows_of(positions, work, &configs, &times).map(|row| Row {
                tokens: task.tokens(),
                past,
                flops: task.tokens() as f64
                    * forward_flops(&row.model, task.mean_keys(), past.is_some()),
                ..row
            }));
        }
        Ok(rows)
    }

    /// Measures training steps.
    fn training(
        &self,
        mut base: RunConfig,
        positions: &NamedPositions,
        plan: Plan,
        stop: &AtomicBool,
    ) -> Result<Vec<Row>, BenchError> {
        base.train.batch = BATCH;
        base.model.vocab = base.model.vocab.min(512);
        base.model.context = self.window.unwrap_or(WINDOW.min(self.keys as usize));
        let configs: Vec<_> = positions
            .iter()
            .map(|(_, position)| {
                let mut config = base.clone();
                config.model.position = *position;
                config
            })
            .collect();
        let tokens = random_tokens(&base);
        let mut candidates: Vec<Box<dyn Candidate + '_>> = Vec::new();
        for config in &configs {
            let training = Training::new(config, &tokens, self.threads, &Cpu::default())?;
            candidates.push(Box::new(training));
        }
        let times = alternate(&mut candidates, plan, stop)?;
        drop(candidates);
        let models: Vec<Config> = configs.iter().map(|config| config.model).collect();
        let rows = rows_of(positions, "train", &models, &times).map(|row| Row {
            threads: self.threads,
            tokens: base.tokens_per_step() as usize,
            flops: step_flops(&row.model, BATCH),
            ..row
        });
        Ok(rows.collect())
    }
}

/// Returns every encoding as the engine computes it, and ExPE also in the direct form of the paper.
fn variants(positions: &NamedPositions) -> Vec<(String, Variant)> {
    let mut variants = Vec::new();
    for (name, position) in positions {
        let position = *position;
        variants.push((name.clone(), Variant { position, direct: false }));
        if position.name() == "expe" {
            variants.push((format!("{name}, direct"), Variant { position, direct: true }));
        }
    }
    variants
}

/// Returns one row per encoding, with ratios to the first one and to RoPE.
fn rows_of(
    positions: &NamedPositions,
    work: &'static str,
    models: &[Config],
    times: &[Times],
) -> impl Iterator<Item = Row> {
    let rope = positions.iter().zip(times).find(|((name, _), _)| name == "rope");
    let all = positions.iter().zip(models).zip(times);
    all.map(move |(((name, _), model), measured)| Row {
        candidate: name.clone(),
        over_rope: rope.map(|(_, rope)| measured.ratio(rope)),
        ..Row::new(work, model, measured, &times[0])
    })
}
