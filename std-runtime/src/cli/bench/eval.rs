//! `expe bench eval`: perplexity at multiples of the training length.

use expe_core::Config;

use super::measure::MeasureArgs;
use super::shape::ShapeArgs;
use crate::bench::{
    BenchError, Candidate, Evaluation, Report, Row, Slope, alternate, forward_flops, peak_memory,
    random_model,
};
use crate::cli::{CliError, interrupt};
use crate::export::Scheme;

/// Arguments of `expe bench eval`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model.
    #[command(flatten)]
    shape: ShapeArgs,
    /// Lengths, in multiples of the training length; each is a power of two.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,2,4,8,16", value_parser = factor)]
    lengths: Vec<usize>,
    /// How its weights are stored.
    #[arg(long, value_enum, default_value = "f32", value_name = "FORMAT")]
    numbers: Scheme,
    /// How long to measure.
    #[command(flatten)]
    measure: MeasureArgs,
}

/// So that every length divides the longest.
fn factor(text: &str) -> Result<usize, String> {
    let factor: usize = text.parse().map_err(|_| "not a whole number".to_owned())?;
    if factor.is_power_of_two() && factor <= 1 << 16 {
        Ok(factor)
    } else {
        Err("not a power of two from 1 to 65536".to_owned())
    }
}

/// Run the command.
///
/// # Errors
/// [`CliError`].
pub fn run(args: &Args) -> Result<(), CliError> {
    let stop = interrupt::catch()?;
    let base = args.shape.config("128x4")?;
    let position = match args.shape.positions(&base.model)?.as_slice() {
        [(_, position)] => *position,
        several => return Err(BenchError::OnePosition { given: several.len() }.into()),
    };
    let mut factors = args.lengths.clone();
    factors.sort_unstable();
    factors.dedup();
    let context = base.model.context;
    let longest = factors.last().map_or(context, |factor| factor.saturating_mul(context));
    let config = Config { position, ..base.model };
    let file = random_model(&config, args.numbers)?;
    let model = file.model()?;
    let report = Report::new("eval");
    let mut candidates: Vec<Box<dyn Candidate + '_>> = Vec::new();
    let (mut sizes, mut peaks) = (Vec::new(), Vec::new());
    for factor in &factors {
        let mut evaluation = Evaluation::new(&model, factor * context, longest)?;
        sizes.push((factor * context, evaluation.tokens()));
        // The shortest first: each raises what the ones before it needed.
        evaluation.run()?;
        peaks.push(peak_memory());
        candidates.push(Box::new(evaluation));
    }
    let times = alternate(&mut candidates, args.measure.plan(), stop)?;
    drop(candidates);
    let Some(first) = times.first() else { return Ok(()) };
    let rows: Vec<Row> = sizes
        .iter()
        .zip(&times)
        .zip(&peaks)
        .map(|(((length, tokens), measured), peak)| {
            let per_token = forward_flops(&config, (*length as f64 + 1.0) / 2.0, true);
            Row {
                candidate: format!("{}·{context}", length / context),
                numbers: args.numbers.to_string(),
                threads: report.machine.cores,
                tokens: *tokens,
                flops: per_token * *tokens as f64,
                cache_bytes: Some(Evaluation::cache_bytes(&model, *length)),
                peak_memory: *peak,
                ..Row::of("eval", &config, measured, first)
            }
        })
        .collect();
    // Of one window.
    let points = |value: fn(&Row, f64) -> Option<f64>| {
        let points = sizes.iter().zip(&rows).filter_map(|((length, tokens), row)| {
            Some((*length, value(row, *length as f64 / *tokens as f64)?))
        });
        points.collect::<Vec<_>>()
    };
    let time = points(|row, share| Some(row.seconds.median * share));
    let cache = points(|row, _| row.cache_bytes.map(|bytes| bytes as f64));
    let slopes = [("eval", time), ("cache", cache)];
    let slopes = slopes.iter().filter_map(|(work, points)| Slope::fit(work, "context", points));
    let slopes = slopes.collect();
    args.measure.show(&Report { peak_memory: peak_memory(), rows, slopes, ..report })
}
