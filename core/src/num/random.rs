/// A pseudorandom number generator: xoshiro128++ (Blackman and Vigna), seeded by SplitMix64.
///
/// It uses 32-bit operations only, which are cheap on microcontrollers. The sequence of a seed is the same on
/// every target and will not change in later versions.
///
/// ```
/// use expe_core::internals::Random;
/// let mut random = Random::new(7);
/// let first = random.next_u32();
/// assert_eq!(first, Random::new(7).next_u32());
/// assert!((0.0..1.0).contains(&random.uniform()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Random {
    state: [u32; 4],
}

const fn split_mix(seed: u64) -> u64 {
    let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// Creates a generator from `seed`.
    pub const fn new(seed: u64) -> Self {
        let a = split_mix(seed.wrapping_add(GOLDEN));
        let b = split_mix(seed.wrapping_add(GOLDEN.wrapping_mul(2)));
        // The all-zero state would never change.
        let low = if a == 0 && b == 0 { 1 } else { a as u32 };
        Self { state: [low, (a >> 32) as u32, b as u32, (b >> 32) as u32] }
    }

    /// Creates generator number `index` of a family of independent generators given by `seed`.
    ///
    /// The numbers of a step, window or layer can then be reproduced without saving a generator's state.
    pub const fn keyed(seed: u64, index: u64) -> Self {
        Self::new(split_mix(seed.wrapping_add(GOLDEN)) ^ index.wrapping_mul(0xd605_1b4f_6c5b_9a35))
    }

    /// Returns the next 32 random bits.
    pub const fn next_u32(&mut self) -> u32 {
        let [a, b, c, d] = self.state;
        let out = a.wrapping_add(d).rotate_left(7).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 9), d.rotate_left(11)];
        out
    }

    /// Returns the next 64 random bits; the low half is drawn first.
    pub const fn next_u64(&mut self) -> u64 {
        let low = self.next_u32() as u64;
        low | (self.next_u32() as u64) << 32
    }

    /// Returns a uniformly distributed multiple of `2^-24` in `[0, 1)`.
    pub const fn uniform(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Returns an unbiased integer in `0..bound`; 0 if `bound` is 0.
    pub const fn below(&mut self, bound: u32) -> u32 {
        // Lemire's method: the high word of bits·bound, rejected if the low word is below 2^32 mod bound.
        let uneven = match bound.wrapping_neg().checked_rem(bound) {
            Some(uneven) => uneven,
            None => return 0,
        };
        loop {
            let product = self.next_u32() as u64 * bound as u64;
            if product as u32 >= uneven {
                return (product >> 32) as u32;
            }
        }
    }

    /// Returns a normally distributed number with mean 0 and variance 1 (Box–Muller).
    pub fn normal(&mut self) -> f32 {
        let radius = libm::sqrtf(-2.0 * libm::logf(1.0 - self.uniform()));
        radius * libm::cosf(core::f32::consts::TAU * self.uniform())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published C reference with its own variable names.
    fn reference(s: &mut [u32; 4]) -> u32 {
        let result = s[0].wrapping_add(s[3]).rotate_left(7).wrapping_add(s[0]);
        let t = s[1] << 9;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(11);
        result
    }

    #[test]
    fn follows_the_published_recurrence() {
        let mut random = Random::new(1);
        let mut state = random.state;
        for _ in 0..1_000 {
            assert_eq!(random.next_u32(), reference(&mut state));
        }
    }

    #[test]
    fn moments_match_the_distributions() {
        let mut random = Random::new(3);
        let count = 200_000;
        let (mut sum, mut squares) = (0.0f64, 0.0f64);
        for _ in 0..count {
            let x = f64::from(random.normal());
            sum += x;
            squares += x * x;
        }
        let n = f64::from(count);
        // Five standard errors: 1/√n of the mean, √(2/n) of the variance.
        assert!((sum / n).abs() < 5.0 / n.sqrt());
        assert!((squares / n - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[random.below(7) as usize] += 1;
        }
        for count in counts {
            assert!((f64::from(count) - 10_000.0).abs() < 5.0 * 100.0, "{counts:?}");
        }
        assert_eq!(random.below(0), 0);
        assert_eq!(random.below(1), 0);
    }
}
