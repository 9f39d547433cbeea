use std::hint::black_box;
use std::time::{Duration, Instant};

/// Number of bytes to read: more than the caches of one socket hold.
const STREAMED: usize = 256 << 20;
/// Number of independent sums, so that the latency of additions does not limit the rate.
const LANES: usize = 64;

/// Returns the sum of all words, modulo 2^64.
fn sum(words: &[u64]) -> u64 {
    let mut sums = [0u64; LANES];
    let chunks = words.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (sum, word) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(*word);
        }
    }
    let words = sums.iter().chain(rest);
    words.fold(0, |sum: u64, word| sum.wrapping_add(*word))
}

/// Measures the bytes per second at which one thread sequentially reads and sums 256 MiB. Returns the best of
/// several passes within `time`, at least three.
pub fn read_rate(time: Duration) -> f64 {
    let words: Vec<u64> = (0..(STREAMED / size_of::<u64>()) as u64).collect();
    fastest(&words, time)
}

/// Same as [`read_rate`] for `len` bytes, part of which may remain in caches: the rate at which a model of this
/// size can be read.
pub fn read_rate_of(len: usize, time: Duration) -> f64 {
    let words: Vec<u64> = (0..(len / size_of::<u64>()).max(1) as u64).collect();
    fastest(&words, time)
}

fn fastest(words: &[u64], time: Duration) -> f64 {
    let started = Instant::now();
    let (mut best, mut passes) = (f64::INFINITY, 0);
    while passes < 3 || started.elapsed() < time {
        let pass = Instant::now();
        black_box(sum(black_box(words)));
        best = pass.elapsed().as_secs_f64().min(best);
        passes += 1;
    }
    size_of_val(words) as f64 / best.max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_are_read() {
        for len in [0, 1, 63, 64, 65, 1000] {
            let words: Vec<u64> = (0..len).map(|n| n * n).collect();
            let expected: u64 = words.iter().sum();
            assert_eq!(sum(&words), expected, "{len}");
        }
    }
}
