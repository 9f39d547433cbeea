use core::fmt;

use super::Logit;
use crate::num::Random;

/// Chooses the next token from logits: greedily, or at random among the `k` most likely.
///
/// ```
/// use expe_core::Sampler;
/// let logits = [0.5, 2.0, -1.0];
/// assert_eq!(Sampler::greedy().sample(&logits), Ok(1));
/// let mut sampler = Sampler::new(0.8, 2, 42)?;
/// assert!(sampler.sample(&logits)? < 2);
/// # Ok::<(), expe_core::SampleError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sampler {
    /// As bits: of a float the compiler would make a float comparison.
    temperature: u32,
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
        // By its bits, so that integer firmware has no float comparison.
        let bits = temperature.to_bits();
        if bits < f32::INFINITY.to_bits() || bits == 1 << 31 {
            Ok(Self { temperature: bits, top_k, random: Random::new(seed) })
        } else {
            Err(SampleError::Temperature { value: temperature })
        }
    }

    /// A sampler that always takes the largest logit, the first of several.
    pub const fn greedy() -> Self {
        Self { temperature: 0, top_k: 1, random: Random::new(0) }
    }

    /// Choose a token. A logit of −∞ rules its token out.
    ///
    /// Needs no memory: the `k`-th largest logit is found by bisection over the order of the bit
    /// patterns, at most 32 passes. Of several tokens that tie for the last places the first ones
    /// are taken. With `i32` logits all of it is integer arithmetic.
    ///
    /// # Errors
    /// [`SampleError::NotFinite`] for a logit that is NaN or +∞, [`SampleError::Empty`] if there are
    /// none, or all are ruled out.
    pub fn sample<L: Logit>(&mut self, logits: &[L]) -> Result<u32, SampleError> {
        let mut best: Option<(u32, L, u32)> = None;
        for (token, logit) in (0u32..).zip(logits) {
            let Some(order) = logit.order() else {
                return Err(SampleError::NotFinite { token, value: logit.value() });
            };
            if !logit.rules_out() && best.is_none_or(|(_, _, largest)| order > largest) {
                best = Some((token, *logit, order));
            }
        }
        let (best, max, _) = best.ok_or(SampleError::Empty)?;
        if self.temperature << 1 == 0 || self.top_k == 1 {
            return Ok(best);
        }
        let k = if self.top_k == 0 { logits.len() } else { self.top_k.min(logits.len()) };
        let threshold = kth_largest(logits, k);
        let above = logits.iter().filter(|logit| logit.order() > Some(threshold)).count();
        let temperature = L::temperature(f32::from_bits(self.temperature));
        let weights = || {
            let mut ties = k.saturating_sub(above);
            (0u32..).zip(logits).filter_map(move |(token, logit)| {
                let chosen = logit.order() > Some(threshold) || {
                    let tie = logit.order() == Some(threshold) && ties > 0;
                    ties = ties.saturating_sub(usize::from(tie));
                    tie
                };
                chosen.then(|| (token, u64::from(logit.weight(max, temperature))))
            })
        };
        let total: u64 = weights().map(|(_, weight)| weight).sum();
        let mut rest = draw(self.random.next_u32(), total);
        for (token, weight) in weights() {
            if rest < weight {
                return Ok(token);
            }
            rest = rest.saturating_sub(weight);
        }
        Ok(best)
    }
}

/// `random·total/2^32`, below `total`, for a total below `2^62`.
const fn draw(random: u32, total: u64) -> u64 {
    let (high, low) = (total >> 32, total & 0xffff_ffff);
    let random = random as u64;
    (random * high).saturating_add((random * low) >> 32)
}

/// The [`order`](Logit::order) of the `k`-th largest element, `1 ≤ k ≤ len`: the largest number that at
/// least `k` elements reach.
fn kth_largest<L: Logit>(logits: &[L], k: usize) -> u32 {
    let mut threshold = 0u32;
    for bit in (0..u32::BITS).rev() {
        let candidate = threshold | 1 << bit;
        if logits.iter().filter(|logit| logit.order() >= Some(candidate)).count() >= k {
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
