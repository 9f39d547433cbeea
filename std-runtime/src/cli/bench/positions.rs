//! `expe bench positions`: what each position encoding costs.

use expe_core::Config;
use expe_core::position::{PositionConfig, SUPPORTED};

use super::measure::MeasureArgs;
use super::shape::ShapeArgs;
use crate::bench::{
    Candidate, Inference, Plan, Report, Row, Task, Times, Training, Variant, alternate, candidates,
    forward_flops, position_costs, random_model, random_tokens, step_flops,
};
use crate::cli::{CliError, interrupt};
use crate::config::position;
use crate::device::Cpu;
use crate::export::Scheme;

/// Arguments of `expe bench positions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model; training has a vocabulary of 512 at most, and windows of --context, or else of 128 at most.
    #[command(flatten)]
    shape: ShapeArgs,
    /// Keys in sight where one token is looked at, and tokens of prompts.
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    keys: u32,
    /// Threads of the training.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// How long to measure.
    #[command(flatten)]
    measure: MeasureArgs,
}

/// Windows of a training step; there are as many candidates as encodings.
const BATCH: usize = 4;
/// Tokens of a training window, at most.
const WINDOW: usize = 128;
/// Tokens that are decoded in a turn.
const DECODED: usize = 16;

/// Run the command.
///
/// # Errors
/// [`CliError`].
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let mut base = args.shape.config("15m")?;
    let keys = args.keys as usize;
    base.model.context = keys + DECODED;
    let mut variants = Vec::new();
    for (name, position) in encodings(args, &base.model)? {
        let direct = (position.name() == "expe")
            .then(|| (format!("{name}, direct"), Variant { position, direct: true }));
        variants.push((name, Variant { position, direct: false }));
        variants.extend(direct);
    }
    let plan = args.measure.plan();
    let plan = Plan { time: plan.time / 4, ..plan };
    let positions = position_costs(&base, &variants, args.keys, plan, stop)?;
    variants.retain(|(_, variant)| !variant.direct);

    let mut rows = Vec::new();
    let configs: Vec<Config> = variants
        .iter()
        .map(|(_, variant)| Config { position: variant.position, ..base.model })
        .collect();
    let files = configs
        .iter()
        .map(|config| random_model(config, Scheme::F32))
        .collect::<Result<Vec<_>, _>>()?;
    let models = files.iter().map(|file| file.model()).collect::<Result<Vec<_>, _>>()?;
    for task in [Task::Decode { past: keys, tokens: DECODED }, Task::Prefill { tokens: keys }] {
        let mut buffers = Inference::all_buffers(&models, task)?;
        let mut candidates = candidates(&models, &mut buffers, task)?;
        let times = alternate(&mut candidates, plan, stop)?;
        let (work, past) = match task {
            Task::Decode { past, .. } => ("decode", Some(past)),
            Task::Prefill { .. } => ("prefill", None),
        };
        rows.extend(whole(&variants, work, &configs, &times).map(|row| Row {
            tokens: task.tokens(),
            past,
            flops: task.tokens() as f64
                * forward_flops(&row.model, task.mean_keys(), past.is_some()),
            ..row
        }));
    }

    let threads = args.threads.map_or_else(rayon::current_num_threads, usize::from);
    base.train.batch = BATCH;
    base.model.vocab = base.model.vocab.min(512);
    base.model.context = args.shape.context.unwrap_or(keys.min(WINDOW));
    let configs: Vec<_> = variants
        .iter()
        .map(|(_, variant)| {
            let mut config = base.clone();
            config.model.position = variant.position;
            config
        })
        .collect();
    let tokens = random_tokens(&base);
    let mut candidates: Vec<Box<dyn Candidate + '_>> = Vec::new();
    for config in &configs {
        candidates.push(Box::new(Training::new(config, &tokens, threads, &Cpu::default())?));
    }
    let times = alternate(&mut candidates, plan, stop)?;
    drop(candidates);
    let models: Vec<Config> = configs.iter().map(|config| config.model).collect();
    rows.extend(whole(&variants, "train", &models, &times).map(|row| Row {
        threads,
        tokens: base.tokens_per_step() as usize,
        flops: step_flops(&row.model, BATCH),
        ..row
    }));
    args.measure.show(&Report { positions, rows, ..Report::new("positions") })
}

/// The encodings that were asked for, or else all. None and RoPE, which the others are compared with, are
/// always there, and none is the first.
fn encodings(args: &Args, model: &Config) -> Result<Vec<(String, PositionConfig)>, CliError> {
    let usual = |name: &str| {
        let position = position(name, model.width).map_err(crate::compare::SpecError::from)?;
        Ok::<_, CliError>((name.to_owned(), position))
    };
    let mut found = match args.shape.position.is_empty() {
        true => SUPPORTED.iter().map(|name| usual(name)).collect::<Result<_, _>>()?,
        false => args.shape.trained_positions(model)?,
    };
    for name in ["rope", "none"] {
        if !found.iter().any(|(other, _)| other == name) {
            found.insert(0, usual(name)?);
        }
    }
    found.sort_by_key(|(name, _)| name != "none");
    Ok(found)
}

/// The rows of some work with each encoding, with ratios to the first one and to RoPE.
fn whole(
    variants: &[(String, Variant)],
    work: &'static str,
    models: &[Config],
    times: &[Times],
) -> impl Iterator<Item = Row> {
    let rope = variants.iter().zip(times).find(|((name, _), _)| name == "rope");
    let all = variants.iter().zip(models).zip(times);
    all.map(move |(((name, _), model), measured)| Row {
        candidate: name.clone(),
        over_rope: rope.map(|(_, rope)| measured.ratio(rope)),
        ..Row::of(work, model, measured, &times[0])
    })
}
