use core::fmt;

use crate::num::{Exact, Math, Random};

/// Chooses the next token from logits: greedily, or at random among the `k` most likely.
///
/// ```
/// use expe_core::model::Sampler;
/// let logits = [0.5, 2.0, -1.0];
/// assert_eq!(Sampler::greedy().sample(&logits), Ok(1));
/// let mut sampler = Sampler::new(0.8, 2, 42)?;
/// assert!(sampler.sample(&logits)? < 2);
/// # Ok::<(), expe_core::model::SampleError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sampler {
    temperature: f32,
    top_k: usize,
    random: Random,
}

impl Sampler {
    /// A sampler that draws token `i` with a probability proportional to
    /// `exp(logit_i / temperature)` among the `top_k` largest logits; the seed fixes all draws.
    ///
    /// Temperature 0 is greedy. `top_k` 1 is greedy too, and 0 means all tokens.
    ///
    /// # Errors
    /// [`SampleError::Temperature`] if the temperature is negative, infinite or NaN.
    pub fn new(temperature: f32, top_k: usize, seed: u64) -> Result<Self, SampleError> {
        if temperature.is_finite() && temperature >= 0.0 {
            Ok(Self { temperature, top_k, random: Random::new(seed) })
        } else {
            Err(SampleError::Temperature { value: temperature })
        }
    }

    /// A sampler that always takes the largest logit, the first of several.
    pub const fn greedy() -> Self {
        Self { temperature: 0.0, top_k: 1, random: Random::new(0) }
    }

    /// Choose a token. A logit of −∞ rules its token out.
    ///
    /// Needs no memory: the `k`-th largest logit is found by bisection over the order of the bit
    /// patterns, at most 32 passes. Of several tokens that tie for the last places the first ones
    /// are taken.
    ///
    /// # Errors
    /// [`SampleError::NotFinite`] for a logit that is NaN or +∞, [`SampleError::Empty`] if there are
    /// none, or all are ruled out.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32, SampleError> {
        let refused = |(_, logit): &(u32, &f32)| logit.is_nan() || **logit == f32::INFINITY;
        if let Some((token, value)) = (0u32..).zip(logits).find(refused) {
            return Err(SampleError::NotFinite { token, value: *value });
        }
        let first = (0, f32::NEG_INFINITY);
        let later = |best: (u32, f32), (token, logit): (u32, &f32)| {
            if *logit > best.1 { (token, *logit) } else { best }
        };
        let (best, max) = (0u32..).zip(logits).fold(first, later);
        if max == f32::NEG_INFINITY {
            return Err(SampleError::Empty);
        }
        if self.temperature == 0.0 || self.top_k == 1 {
            return Ok(best);
        }
        let k = if self.top_k == 0 { logits.len() } else { self.top_k.min(logits.len()) };
        let threshold = kth_largest(logits, k);
        let above = logits.iter().filter(|logit| order(**logit) > threshold).count();
        let temperature = self.temperature;
        let weights = || {
            let mut ties = k.saturating_sub(above);
            (0u32..).zip(logits).filter_map(move |(token, logit)| {
                let chosen = order(*logit) > threshold || {
                    let tie = order(*logit) == threshold && ties > 0;
                    ties = ties.saturating_sub(usize::from(tie));
                    tie
                };
                chosen.then(|| (token, Exact::exp((logit - max) / temperature)))
            })
        };
        let total: f32 = weights().map(|(_, weight)| weight).sum();
        let mut rest = self.random.uniform() * total;
        let mut last = best;
        for (token, weight) in weights().filter(|(_, weight)| *weight > 0.0) {
            if rest < weight {
                return Ok(token);
            }
            rest -= weight;
            last = token;
        }
        // Rounding in the running difference can leave a rest: it belongs to the last token.
        Ok(last)
    }
}

/// A number whose order is that of `x`, for all `x` but NaN; the two zeros are one number.
fn order(x: f32) -> u32 {
    let bits = (x + 0.0).to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

/// The [`order`] of the `k`-th largest element, `1 ≤ k ≤ len`: the largest number that at least `k`
/// elements reach.
fn kth_largest(logits: &[f32], k: usize) -> u32 {
    let mut threshold = 0u32;
    for bit in (0..u32::BITS).rev() {
        let candidate = threshold | 1 << bit;
        if logits.iter().filter(|logit| order(**logit) >= candidate).count() >= k {
            threshold = candidate;
        }
    }
    threshold
}

/// Why no token can be chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SampleError {
    /// The temperature is negative, infinite or NaN.
    Temperature {
        /// Its value.
        value: f32,
    },
    /// A logit is NaN or +∞.
    NotFinite {
        /// Its token.
        token: u32,
        /// Its value.
        value: f32,
    },
    /// There are no logits, or all of them are −∞.
    Empty,
}

impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Temperature { value } => {
                write!(f, "the temperature is {value}; it must be finite and not negative")
            }
            Self::NotFinite { token, value } => write!(
                f,
                "the logit of token {token} is {value}; the model's weights overflow on this input"
            ),
            Self::Empty => f.write_str("there is no token to choose from"),
        }
    }
}

impl core::error::Error for SampleError {}
