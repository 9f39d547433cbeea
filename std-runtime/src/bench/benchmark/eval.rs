use std::sync::atomic::AtomicBool;

use expe_core::Config;

use crate::bench::{
    BenchError, Candidate, Evaluation, Plan, Report, Row, Slope, alternate, forward_flops,
    peak_memory, random_model,
};
use crate::export::Scheme;

/// Benchmark of perplexity at multiples of the training length: time, memory, and how they grow.
#[derive(Debug, Clone)]
pub struct EvalBenchmark {
    /// The model.
    pub config: Config,
    /// Lengths in multiples of the training length. They must be powers of two, so that each divides the longest.
    pub factors: Vec<usize>,
    /// How its weights are stored.
    pub scheme: Scheme,
    /// How long to measure.
    pub plan: Plan,
}

impl EvalBenchmark {
    /// Runs the benchmark.
    ///
    /// # Errors
    /// [`BenchError`] for a model that cannot be run or does not support the longest length, and when
    /// interrupted.
    pub fn run(&self, stop: &AtomicBool) -> Result<Report, BenchError> {
        let Self { config, scheme, plan, .. } = self;
        let mut factors = self.factors.clone();
        factors.sort_unstable();
        factors.dedup();
        let context = config.context;
        let longest = factors.last().map_or(context, |factor| factor.saturating_mul(context));
        let file = random_model(config, *scheme)?;
        let model = file.model()?;
        let mut report = Report::new("eval");
        let mut candidates: Vec<Box<dyn Candidate + '_>> = Vec::new();
        let (mut sizes, mut peaks) = (Vec::new(), Vec::new());
        for factor in &factors {
            let mut evaluation = Evaluation::new(&model, factor * context, longest)?;
            sizes.push((factor * context, evaluation.tokens()));
            // Run in increasing order of length, so that each peak is caused by its own length.
            evaluation.run()?;
            peaks.push(peak_memory());
            candidates.push(Box::new(evaluation));
        }
        let times = alternate(&mut candidates, *plan, stop)?;
        drop(candidates);
        let Some(first) = times.first() else { return Ok(report) };
        for (((length, tokens), measured), peak) in sizes.iter().zip(&times).zip(&peaks) {
            let per_token = forward_flops(config, (*length as f64 + 1.0) / 2.0, true);
            report.rows.push(Row {
                candidate: format!("{}·{context}", length / context),
                dtype: scheme.to_string(),
                threads: report.machine.cores,
                tokens: *tokens,
                flops: per_token * *tokens as f64,
                cache_bytes: Some(Evaluation::cache_bytes(&model, *length)),
                peak_memory: *peak,
                ..Row::new("eval", config, measured, first)
            });
        }
        let window_times: Vec<_> = sizes
            .iter()
            .zip(&report.rows)
            .map(|((length, tokens), row)| {
                (*length, row.seconds.median * *length as f64 / *tokens as f64)
            })
            .collect();
        let cache: Vec<_> = sizes
            .iter()
            .zip(&report.rows)
            .filter_map(|((length, _), row)| Some((*length, row.cache_bytes? as f64)))
            .collect();
        report.slopes.extend(Slope::fit("eval", "context", &window_times));
        report.slopes.extend(Slope::fit("cache", "context", &cache));
        report.peak_memory = peak_memory();
        Ok(report)
    }
}
