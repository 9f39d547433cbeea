use crate::num::{Multiplier, exp2_minus};

/// Softmax to the base 2, in place: scores in units of `2^-16` become `2^(x_i − max x)` in units of
/// `2^-30`; returns `1/Σ`, so that the weights add up to 1.
///
/// A score that was multiplied with `log2 e` gives the softmax of the natural exponential. The largest
/// term is 1, so the sum is never 0 (but for an empty row, whose factor is 0).
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
        // The difference of two 32-bit numbers, in a sensible order, is unsigned.
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
    fn agrees_with_floating_point() {
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
                    // 2^-26 for the power and for the mean of all of them, relative to a sum of at
                    // least 1, and half a unit of the result.
                    let bound = (count as f64 / sum + 1.0) * 2f64.powi(-26) + 2f64.powi(-24);
                    assert!((weight - wide / sum).abs() <= bound * 1.01, "{weight} {}", wide / sum);
                }
            }
        }
        assert!(softmax(&mut []).is_zero());
    }

    /// Half a unit is rounded up to one, at the most a doubling: however many weights there are, they
    /// add up to no more than 2^24 units of 2^-23, and times 127 to less than 2^31.
    #[test]
    fn weights_of_8_bit_values_fit_in_32_bits_in_any_context() {
        for count in (0..27).flat_map(|log| [(1u64 << log) - 1, 1 << log, (1 << log) + 1]) {
            let power = 1u64 << 30;
            // What softmax gives for so many equal scores.
            let scale = Multiplier::from_integer(1).over(Multiplier::from_integer(count * power));
            let weight = scale.apply(1 << 30, Exponent(-23));
            assert!(i64::from(weight) * count as i64 * 127 <= i64::from(i32::MAX), "{count}");
            assert_eq!(weight == 0, count == 0 || count > 1 << 24, "{count}");
        }
    }
}
