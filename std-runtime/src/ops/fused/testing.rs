//! What the tests of the fused operations share.

use expe_core::internals::Random;

/// `count` normally distributed numbers.
pub fn normal(count: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.normal()).collect()
}
