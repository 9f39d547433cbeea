use dfdx::shapes::{HasShape, Rank0};
use dfdx::tensor::{Cpu, CpuError, PutTape, SplitTape, Tape, Tensor};

use super::buffer::Buffer;
use super::linear::Linear;
use super::product::Mode;
use super::storage::{put, record, take, tensor, values};
use super::vector::{add_scaled, exp, largest, sum, vectorised};
use crate::ops::profile::Operation;
use crate::ops::{Matrix, Precision, Vector};

/// Logits that are held at a time.
const LOGITS: usize = 1 << 16;

/// Rows of logits that are held at a time, for a vocabulary of `vocab`.
fn block(vocab: usize, rows: usize) -> usize {
    (LOGITS / vocab.max(1)).clamp(16, 256).min(rows.max(1))
}

/// [`log_probabilities`](crate::ops::log_probabilities) of the logits `x·Wᵀ`, a block of rows at a
/// time.
///
/// # Errors
/// The device's.
pub fn log_probabilities(
    x: &Matrix<f32, Cpu>,
    head: &Matrix<f32, Cpu>,
    targets: &Tensor<(usize,), usize, Cpu>,
) -> Result<Vector<f32, Cpu>, CpuError> {
    let mut scores = Vec::with_capacity(x.shape().0);
    each_block(x, head, &targets.as_vec(), Precision::F32, |_, logits, targets| {
        let vocab = logits.len() / targets.len();
        for (logits, target) in logits.chunks_exact_mut(vocab).zip(targets) {
            let logit = logits.get(*target).copied().unwrap_or(f32::NEG_INFINITY);
            let (most, sum) = vectorised(
                #[inline(always)]
                || exponentials(logits),
            );
            scores.push(logit - most - sum.ln());
        }
    });
    tensor(x.device(), (scores.len(),), scores)
}

/// [`cross_entropy`](crate::ops::cross_entropy) of the logits `x·Wᵀ`, a block of rows at a time. Its
/// gradient by `x` and `W` is computed along with it if the tape asks for any.
///
/// # Errors
/// The device's.
pub fn cross_entropy<T: Tape<f32, Cpu>>(
    x: Matrix<f32, Cpu, T>,
    head: &Matrix<f32, Cpu>,
    targets: &Tensor<(usize,), usize, Cpu>,
    precision: Precision,
) -> Result<Tensor<Rank0, f32, Cpu, T>, CpuError> {
    let (x, mut tape) = x.split_tape();
    let head = head.clone();
    let ((rows, width), vocab) = (*x.shape(), head.shape().0);
    let recorded = if T::OWNS_TAPE { (rows * width, vocab * width) } else { (0, 0) };
    let (mut dx, mut dw) = (Buffer::new(recorded.0), Buffer::new(recorded.1));
    let (share, factor) = precision.shares(1.0 / rows as f32);
    let mut loss = 0.0_f64;
    each_block(&x, &head, &targets.as_vec(), precision, |first, logits, targets| {
        for (logits, target) in logits.chunks_exact_mut(vocab).zip(targets) {
            let logit = logits.get(*target).copied().unwrap_or(f32::NEG_INFINITY);
            let (most, sum) = vectorised(
                #[inline(always)]
                || exponentials(logits),
            );
            loss -= f64::from(logit - most) - f64::from(sum).ln();
            if T::OWNS_TAPE {
                vectorised(
                    #[inline(always)]
                    || {
                        let factor = share / sum;
                        logits.iter_mut().for_each(|p| *p *= factor);
                    },
                );
                if let Some(p) = logits.get_mut(*target) {
                    *p -= share;
                }
            }
        }
        if T::OWNS_TAPE {
            let linear = Linear::new(targets.len(), width, vocab, precision);
            let (x, dx) = (&values(&x)[first * width..], &mut dx[first * width..]);
            linear.input_slopes(logits, values(&head), dx, Mode::Set);
            let mode = if first == 0 { Mode::Set } else { Mode::Add };
            linear.weight_slopes(logits, x, &mut dw, mode);
        }
    });
    let loss = tensor(x.device(), (), vec![(loss / rows as f64) as f32])?;
    let ghost = loss.ghost();
    record(&mut tape, Operation::CrossEntropy, move |slopes| {
        let slope = slopes.get_or_alloc_mut(&ghost)?.first().copied().unwrap_or(0.0);
        let scale = slope * factor;
        for (input, gradient) in [(&x, &dx), (&head, &dw)] {
            let mut sum = take(slopes, input)?;
            vectorised(
                #[inline(always)]
                || add_scaled(&mut sum, scale, gradient),
            );
            put(slopes, input, sum)?;
        }
        Ok(())
    });
    Ok(loss.put_tape(tape))
}

/// Replace each of `x` by `e^(x − m)`, with `m` the largest of them: `m`, and the sum.
#[inline(always)]
fn exponentials(row: &mut [f32]) -> (f32, f32) {
    let most = largest(row);
    row.iter_mut().for_each(|x| *x = exp(*x - most));
    (most, sum(row, |x| x))
}

/// Call `work` with the index of the first row, the logits and the targets of each block of rows.
fn each_block(
    x: &Matrix<f32, Cpu>,
    head: &Matrix<f32, Cpu>,
    targets: &[usize],
    precision: Precision,
    mut work: impl FnMut(usize, &mut [f32], &[usize]),
) {
    let ((rows, width), vocab) = (*x.shape(), head.shape().0);
    let size = block(vocab, rows);
    let mut logits = Buffer::new(size * vocab);
    let blocks = values(x).chunks(size * width).zip(targets.chunks(size));
    for (index, (x, targets)) in blocks.enumerate() {
        let logits = &mut logits[..targets.len() * vocab];
        let linear = Linear::new(targets.len(), width, vocab, precision);
        linear.forward(x, values(head), logits, Mode::Set);
        work(index * size, logits, targets);
    }
}
