use crate::num::{Multiplier, exp2_minus};

/// Computes the unnormalized base-2 softmax in place and returns the normalizing factor.
///
/// Scores in units of `2^-16` become `2^(x_i − max x)` in units of `2^-30`; the factor is one over their sum. The
/// largest term is 1, so the sum is never 0, except for an empty row, whose factor is 0. Scores multiplied by
/// `log2 e` give the softmax of the natural exponential.
///
/// The integer form of [`kernels::softmax`](crate::kernels::softmax).
///
/// ```
/// use expe_core::internals::{Exponent, integer::softmax};
/// let mut x = [0, 65_536];
/// let scale = softmax(&mut x);
/// assert_eq!(x, [1 << 29, 1 << 30]);
/// // 2/3 in units of 2^-23
/// assert_eq!(scale.apply(x[1], Exponent(-23)), 5_592_405);
/// ```
pub fn softmax(x: &mut [i32]) -> Multiplier {
    let max = x.iter().copied().max().unwrap_or(0);
    let mut sum = 0u64;
    for x in x.iter_mut() {
        // The difference to the maximum is not negative and fits in u32.
        let power = exp2_minus(max.abs_diff(*x));
        sum += u64::from(power);
        *x = power as i32;
    }
    const ONE: Multiplier = Multiplier::from_integer(1);
    ONE.over(Multiplier::from_integer(sum))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::num::{Exponent, Random};

    #[test]
    fn softmax_matches_floating_point() {
        let mut random = Random::new(1);
        for count in [1usize, 2, 7, 100, 3_000] {
            for bits in 0..14 {
                let x: Vec<i32> = (0..count).map(|_| random.next_u32() as i32 >> bits).collect();
                let mut found = x.clone();
                let scale = softmax(&mut found);
                let max = f64::from(*x.iter().max().unwrap());
                let wide: Vec<f64> =
                    x.iter().map(|x| ((f64::from(*x) - max) / 65_536.0).exp2()).collect();
                let sum: f64 = wide.iter().sum();
                for (found, wide) in found.iter().zip(&wide) {
                    let weight = f64::from(scale.apply(*found, Exponent(-23))) / 8_388_608.0;
                    // Every power is off by 2^-26, relative to a sum of at least 1, and the result by half
                    // a unit.
                    let bound = (count as f64 / sum + 1.0) * 2f64.powi(-26) + 2f64.powi(-24);
                    assert!((weight - wide / sum).abs() <= bound * 1.01, "{weight} {}", wide / sum);
                }
            }
        }
        assert!(softmax(&mut []).is_zero());
    }

    /// Rounding half a unit up to one at most doubles a weight. Any number of weights therefore adds up to at most
    /// 2^24 units of 2^-23, and times 127 to less than 2^31.
    #[test]
    fn weighted_sums_of_8_bit_values_fit_in_32_bits_for_any_context() {
        for count in (0..27).flat_map(|log| [(1u64 << log) - 1, 1 << log, (1 << log) + 1]) {
            let power = 1u64 << 30;
            // The factor that softmax returns for `count` equal scores.
            let scale = Multiplier::from_integer(1).over(Multiplier::from_integer(count * power));
            let weight = scale.apply(1 << 30, Exponent(-23));
            assert!(i64::from(weight) * count as i64 * 127 <= i64::from(i32::MAX), "{count}");
            assert_eq!(weight == 0, count == 0 || count > 1 << 24, "{count}");
        }
    }
}
