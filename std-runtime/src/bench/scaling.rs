use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use expe_core::internals::Random;
use expe_core::{Model, Sampler};

use super::{BenchError, Inference, Slope, Task, Times};
use crate::engine::Session;

/// The times of a sequence at one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Length {
    /// Number of tokens in the sequence.
    pub tokens: usize,
    /// Seconds to read all of them as a prompt, by round.
    pub prefill: Times,
    /// Seconds to decode one more token, by round.
    pub decode: Times,
}

/// Number of tokens decoded at every length before the prompt continues.
const DECODED: usize = 8;

/// Measures prompts and decoding at several `lengths`, which must be in increasing order.
///
/// Each round reads a random text once, up to the last length, and decodes some tokens at each length, so that the
/// prompt is not read again for every length.
///
/// # Errors
/// Returns the errors of [`Inference::buffers`], and [`BenchError::Interrupted`] once `stop` is set.
pub fn by_length(
    model: &Model<'_>,
    lengths: &[usize],
    rounds: usize,
    stop: &AtomicBool,
) -> Result<Vec<Length>, BenchError> {
    let longest = lengths.last().copied().unwrap_or(0);
    let mut buffers = Inference::buffers(model, Task::Decode { past: longest, tokens: DECODED })?;
    let mut session = Session::new(model, &mut buffers, None)?;
    let vocab = u32::try_from(model.config().vocab).unwrap_or(u32::MAX);
    let mut random = Random::new(1);
    let text: Vec<u32> = (0..longest).map(|_| random.below(vocab)).collect();
    let empty = || Times(Vec::new());
    let mut found: Vec<Length> = lengths
        .iter()
        .map(|tokens| Length { tokens: *tokens, prefill: empty(), decode: empty() })
        .collect();
    let mut sampler = Sampler::greedy();
    // The first pass is a warm-up.
    for round in 0..=rounds {
        session.clear();
        let (mut read, mut before, mut seconds) = (0, 0, 0.0);
        for length in &mut found {
            if stop.load(Ordering::Relaxed) {
                return Err(BenchError::Interrupted);
            }
            let part = text.get(read..length.tokens).unwrap_or(&[]);
            let started = Instant::now();
            let mut token = session.next(part, &mut sampler)?;
            // Extrapolates, because the tokens decoded at the previous length are not read as part of the prompt.
            let share = (length.tokens - before) as f64 / part.len().max(1) as f64;
            seconds += started.elapsed().as_secs_f64() * share;
            let started = Instant::now();
            for _ in 0..DECODED {
                token = session.next(&[token], &mut sampler)?;
            }
            let decode = started.elapsed().as_secs_f64() / DECODED as f64;
            (before, read) = (length.tokens, length.tokens + DECODED);
            if round > 0 {
                length.prefill.0.push(seconds);
                length.decode.0.push(decode);
            }
        }
    }
    Ok(found)
}

impl Slope {
    /// Fits a slope to `points` of size and seconds, in increasing order. Returns `None` for fewer than two sizes.
    ///
    /// ```
    /// use expe::bench::Slope;
    /// let points = [(1, 2.0), (2, 8.0), (4, 32.0)];
    /// let slope = Slope::fit("train", "context", &points).unwrap();
    /// assert!((slope.slope - 2.0).abs() < 1e-12 && (slope.last - 2.0).abs() < 1e-12);
    /// ```
    pub fn fit(work: &'static str, against: &'static str, points: &[(usize, f64)]) -> Option<Self> {
        let logarithms: Vec<(f64, f64)> =
            points.iter().map(|(size, seconds)| ((*size as f64).ln(), seconds.ln())).collect();
        let (&(from, _), &(to, _)) = (points.first()?, points.last()?);
        Some(Self {
            work,
            against,
            from,
            to,
            slope: least_squares(&logarithms)?,
            last: least_squares(logarithms.get(points.len().checked_sub(2)?..)?)?,
        })
    }
}

/// Returns the least-squares slope of `points`, or `None` if all have the same x coordinate.
fn least_squares(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean = |get: fn(&(f64, f64)) -> f64| points.iter().map(get).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let variance: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    (variance > 0.0).then(|| covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::super::random_model;
    use super::*;
    use crate::config::{position, preset};
    use crate::export::Scheme;

    #[test]
    fn every_length_is_timed_in_every_round() {
        let mut config = preset("quick").unwrap().model;
        config.position = position("rope", config.width).unwrap();
        let file = random_model(&config, Scheme::F32).unwrap();
        let model = file.model().unwrap();
        let found = by_length(&model, &[16, 32, 64], 3, &AtomicBool::new(false)).unwrap();
        assert_eq!(found.iter().map(|length| length.tokens).collect::<Vec<_>>(), [16, 32, 64]);
        for length in &found {
            assert!(length.prefill.0.len() == 3 && length.decode.0.len() == 3);
            assert!(length.prefill.0.iter().chain(&length.decode.0).all(|seconds| *seconds > 0.0));
        }
        // A prompt is read in parts, so each length takes longer than the one before.
        for (short, long) in found[0].prefill.0.iter().zip(&found[1].prefill.0) {
            assert!(long > short);
        }
        let stopped = by_length(&model, &[16], 1, &AtomicBool::new(true));
        assert!(matches!(stopped, Err(BenchError::Interrupted)));
    }

    #[test]
    fn fewer_than_two_sizes_have_no_slope() {
        assert!(Slope::fit("train", "width", &[]).is_none());
        assert!(Slope::fit("train", "width", &[(8, 1.0)]).is_none());
        assert!(Slope::fit("train", "width", &[(8, 1.0), (8, 2.0)]).is_none());
        // The middle point does not change the slope of a fit.
        let slope = Slope::fit("train", "width", &[(1, 1.0), (2, 4.0), (4, 4.0)]).unwrap();
        assert!((slope.slope - 1.0).abs() < 1e-12 && slope.last.abs() < 1e-12);
    }
}
