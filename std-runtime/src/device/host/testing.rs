//! Random numbers for the tests of the kernels.

use expe_core::internals::Random;

/// Draws `count` normally distributed numbers.
pub fn normal(count: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.normal()).collect()
}
