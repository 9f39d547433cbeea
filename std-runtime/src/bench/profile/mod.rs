//! The time of a training step by operation, from the `tracing` spans of [`trace`](crate::ops::trace).

mod collector;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use tracing::subscriber::with_default;

use self::collector::Collector;
use super::{BenchError, Training};
use crate::device::Cpu;
use crate::ops::trace::{Operation, Pass};

/// The cost of an operation in a training step: one line of `expe bench train --profile`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profiled {
    /// The operation. `rest` is everything else: memory management, the tape, windows, and waiting for threads.
    pub operation: &'static str,
    /// `forward` or `backward`; `None` for the sum of gradients, AdamW and the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<&'static str>,
    /// Number of calls per step.
    pub calls: f64,
    /// Seconds per step, summed over all threads.
    pub seconds: f64,
    /// Share of the thread time of a step, which is its wall time multiplied by the number of threads.
    pub share: f64,
    /// Number of operations of its matrix products per step, as executed: masked scores and results that the
    /// backward pass recomputes are included.
    pub flops: f64,
    /// Operations per second of one thread in its matrix products.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_rate: Option<f64>,
    /// Share of its time in matrix products.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_share: Option<f64>,
}

/// Returns the name of an operation in reports.
const fn name(operation: Operation) -> &'static str {
    match operation {
        Operation::Embedding => "embedding",
        Operation::Norm => "norm",
        Operation::Inputs => "query, key, value",
        Operation::Attention => "attention",
        Operation::Projection => "output projection",
        Operation::FeedForward => "MLP",
        Operation::CrossEntropy => "cross-entropy",
        Operation::Reduction => "sum of gradients",
        Operation::Optimizer => "AdamW",
    }
}

/// Times the operations of training steps for `time`, but at least three steps, after a warm-up step.
///
/// # Errors
/// [`BenchError::Train`] if a step fails, [`BenchError::Interrupted`] once `stop` is set.
pub fn profile(
    training: &mut Training<'_, Cpu>,
    time: Duration,
    stop: &AtomicBool,
) -> Result<Vec<Profiled>, BenchError> {
    training.step()?;
    let collector = Collector::default();
    let started = Instant::now();
    let steps = with_default(collector.clone(), || {
        let mut steps = 0_u32;
        while steps < 3 || started.elapsed() < time {
            if stop.load(Ordering::Relaxed) {
                return Err(BenchError::Interrupted);
            }
            training.step()?;
            steps += 1;
        }
        Ok(f64::from(steps))
    })?;
    let whole = started.elapsed().as_secs_f64() * training.threads() as f64 / steps;
    let mut lines: Vec<Profiled> = collector
        .costs()
        .into_iter()
        .map(|(operation, pass, cost)| {
            let seconds = cost.nanoseconds as f64 / 1e9 / steps;
            let products = cost.product_nanoseconds as f64 / 1e9 / steps;
            let flops = cost.flops as f64 / steps;
            let multiplies = products > 0.0;
            Profiled {
                operation: name(operation),
                pass: match (operation, pass) {
                    (Operation::Reduction | Operation::Optimizer, _) => None,
                    (_, Pass::Forward) => Some("forward"),
                    (_, Pass::Backward) => Some("backward"),
                },
                calls: cost.calls as f64 / steps,
                seconds,
                share: seconds / whole,
                flops,
                product_rate: multiplies.then(|| flops / products),
                product_share: multiplies.then(|| products / seconds),
            }
        })
        .collect();
    let seconds = whole - lines.iter().map(|line| line.seconds).sum::<f64>();
    lines.push(Profiled {
        operation: "rest",
        pass: None,
        calls: 1.0,
        seconds,
        share: seconds / whole,
        flops: 0.0,
        product_rate: None,
        product_share: None,
    });
    Ok(lines)
}
