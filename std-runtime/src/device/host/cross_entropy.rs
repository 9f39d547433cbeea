use super::vector::{exp, largest, sum, vectorized};

/// Logits that are held in memory at a time.
const LOGITS: usize = 1 << 16;

/// See [`Kernels::logit_rows`](crate::ops::Kernels::logit_rows).
pub fn logit_rows(vocab: usize, rows: usize) -> usize {
    (LOGITS / vocab.max(1)).clamp(16, 256).min(rows.max(1))
}

/// Replaces each `x` by `e^(x − m)`, where `m` is the largest; returns `m` and the sum.
fn exponentials(row: &mut [f32]) -> (f32, f32) {
    vectorized(
        #[inline(always)]
        || {
            let most = largest(row);
            row.iter_mut().for_each(|x| *x = exp(*x - most));
            (most, sum(row, |x| x))
        },
    )
}

/// See [`Kernels::log_probabilities`](crate::ops::Kernels::log_probabilities).
pub fn log_probabilities(
    (rows, vocab): (usize, usize),
    logits: &mut [f32],
    targets: &[usize],
    scores: &mut [f32],
) {
    let rows = logits.chunks_exact_mut(vocab).take(rows);
    for ((logits, target), score) in rows.zip(targets).zip(scores) {
        let logit = logits[*target];
        let (most, sum) = exponentials(logits);
        *score = logit - most - sum.ln();
    }
}

/// See [`Kernels::cross_entropy`](crate::ops::Kernels::cross_entropy); `losses` is the sum of all losses.
pub fn cross_entropy(
    (rows, vocab): (usize, usize),
    logits: &mut [f32],
    targets: &[usize],
    share: Option<f32>,
    losses: &mut f64,
) {
    let rows = logits.chunks_exact_mut(vocab).take(rows);
    for (logits, target) in rows.zip(targets) {
        let logit = logits[*target];
        let (most, sum) = exponentials(logits);
        *losses -= f64::from(logit - most) - f64::from(sum).ln();
        if let Some(share) = share {
            vectorized(
                #[inline(always)]
                || {
                    let factor = share / sum;
                    logits.iter_mut().for_each(|p| *p *= factor);
                },
            );
            logits[*target] -= share;
        }
    }
}
