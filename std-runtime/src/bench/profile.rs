use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{BenchError, Training};
use crate::device::Cpu;
use crate::ops::profile::{self, Operation, Pass};

/// What one operation takes of a training step, one line of `expe bench train --profile`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profiled {
    /// The operation; `rest` is what no other line counts: memory, the tape, windows, waiting for the other
    /// threads.
    pub operation: &'static str,
    /// `forward` or `backward`; none for what belongs to neither: the sum of gradients, AdamW and the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pass: Option<&'static str>,
    /// Calls in a step.
    pub calls: f64,
    /// Seconds in a step, of all threads together.
    pub seconds: f64,
    /// Its share of the step, whose time is that of the clock times the threads.
    pub share: f64,
    /// Operations of its matrix products in a step, as they are done: scores that a mask hides and what the
    /// backward pass computes anew are counted.
    pub flops: f64,
    /// Operations per second inside its matrix products, on one thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_rate: Option<f64>,
    /// Share of its time inside its matrix products.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_share: Option<f64>,
}

/// Time the operations of training steps, for `time` and at least three steps, after one that does not
/// count. There is one profile at a time in a process, and all that it trains is part of it.
///
/// # Errors
/// [`BenchError::Train`]; [`BenchError::Interrupted`] when `stop` turns true.
pub fn profile(
    training: &mut Training<'_, Cpu>,
    time: Duration,
    stop: &AtomicBool,
) -> Result<Vec<Profiled>, BenchError> {
    training.step()?;
    profile::start();
    let (started, mut steps) = (Instant::now(), 0_u32);
    let mut done = Ok(0.0);
    while done.is_ok() && (steps < 3 || started.elapsed() < time) {
        done = match stop.load(Ordering::Relaxed) {
            true => Err(BenchError::Interrupted),
            false => training.step(),
        };
        steps += 1;
    }
    let steps = f64::from(steps);
    let whole = started.elapsed().as_secs_f64() * training.threads() as f64 / steps;
    let costs = profile::stop();
    done?;
    let mut lines: Vec<Profiled> = costs
        .into_iter()
        .map(|(operation, pass, cost)| {
            let seconds = cost.nanoseconds as f64 / 1e9 / steps;
            let products = cost.product_nanoseconds as f64 / 1e9 / steps;
            let flops = cost.flops as f64 / steps;
            let multiplies = products > 0.0;
            Profiled {
                operation: operation.name(),
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
