use core::fmt;

use super::Logit;
use crate::num::Random;

/// Chooses the next token from logits: the most likely one, or at random among the `k` most likely.
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
    /// Bits of an `f32`, because comparing floats takes float instructions.
    temperature: u32,
    top_k: usize,
    random: Random,
}

impl Sampler {
    /// Makes a sampler that draws token `i` with a probability proportional to
    /// `exp(logit_i / temperature)` among the `top_k` largest logits. The seed determines all draws.
    ///
    /// Temperature 0 and `top_k` 1 are greedy. `top_k` 0 means all tokens.
    ///
    /// # Errors
    /// [`SampleError::Temperature`] if the temperature is negative, infinite or NaN.
    pub fn new(temperature: f32, top_k: usize, seed: u64) -> Result<Self, SampleError> {
        let bits = temperature.to_bits();
        if bits < f32::INFINITY.to_bits() || bits == 1 << 31 {
            Ok(Self { temperature: bits, top_k, random: Random::new(seed) })
        } else {
            Err(SampleError::Temperature { value: temperature })
        }
    }

    /// Makes a sampler that always takes the largest logit, the first one of equals.
    pub const fn greedy() -> Self {
        Self { temperature: 0, top_k: 1, random: Random::new(0) }
    }

    /// Chooses a token. A logit of −∞ excludes its token.
    ///
    /// Needs no memory: it finds the `k`-th largest logit by bisection over the order of the bit
    /// patterns, in 32 passes. Of tokens that tie for the last places, the first ones are taken. With
    /// `i32` logits it computes in integers only.
    ///
    /// # Errors
    /// [`SampleError::NotFinite`] for a logit that is NaN or +∞; [`SampleError::Empty`] if there are no
    /// logits or all are −∞.
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
            let mut ties = k - above;
            (0u32..).zip(logits).filter_map(move |(token, logit)| {
                let chosen = logit.order() > Some(threshold) || {
                    let tie = logit.order() == Some(threshold) && ties > 0;
                    ties -= usize::from(tie);
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
            rest -= weight;
        }
        Ok(best)
    }
}

/// Returns `⌊random·total/2^32⌋`, for a total below `2^62`.
const fn draw(random: u32, total: u64) -> u64 {
    let (high, low) = (total >> 32, total & 0xffff_ffff);
    let random = random as u64;
    random * high + ((random * low) >> 32)
}

/// Returns the [`order`](Logit::order) of the `k`-th largest element, `1 ≤ k ≤ len`: the largest number
/// that at least `k` elements reach.
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

/// Why a sampler cannot be made or cannot choose a token.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SampleError {
    /// The temperature is negative, infinite or NaN.
    Temperature {
        /// The value.
        value: f32,
    },
    /// A logit is NaN or +∞.
    NotFinite {
        /// The token.
        token: u32,
        /// The value.
        value: f32,
    },
    /// There are no logits, or all are −∞.
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
