use super::{Exponent, Multiplier};

/// A [`Multiplier`] prepared for many factors of known magnitude: each costs the upper half of a 32-bit by
/// 32-bit product and two shifts.
///
/// [`apply`](Self::apply) has the bits of [`Multiplier::apply`]: `x·m·2^e`, rounded half up,
/// is taken from `⌊x·2^left·m / 2^32⌋`, for cutting twice in the same direction is cutting once.
///
/// ```
/// use expe_core::internals::{Exponent, Multiplier, PreparedMultiplier};
/// let third = Multiplier::from_integer(1).over(Multiplier::from_integer(3));
/// let prepared = PreparedMultiplier::new(third, 1_000, Exponent(-4));
/// assert_eq!(prepared.apply(300), third.apply(300, Exponent(-4)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreparedMultiplier {
    mantissa: i32,
    /// Left shift of a factor before the product: its free digits.
    left: u32,
    /// Right shift of the product's upper half, less the digit that rounds it.
    right: u32,
    /// The slower way, for products whose upper half has too few digits.
    wide: Option<Wide>,
}

/// A multiplier for products of which more than the upper half counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wide {
    multiplier: Multiplier,
    exponent: Exponent,
    /// Digits that a product loses, less the one that rounds it.
    lost: u32,
}

impl Wide {
    #[inline(never)]
    const fn apply(&self, x: i32) -> i32 {
        match cut(x, self.multiplier.parts().0 as i32, self.lost) {
            Some(y) => y,
            None => self.multiplier.apply(x, self.exponent),
        }
    }
}

impl PreparedMultiplier {
    /// `multiplier`, for factors of magnitude `largest` at most, and products in units of `2^exponent`.
    #[inline]
    pub const fn new(multiplier: Multiplier, largest: u32, exponent: Exponent) -> Self {
        let left = free(largest);
        let (mantissa, from) = multiplier.parts();
        // 33 digits fall off in all: 32 with the lower half, and one is rounded.
        let right = exponent.0 - from - 33 + left as i32;
        let mantissa = mantissa as i32;
        if right >= 0 {
            let right = if right > 31 { 31 } else { right as u32 };
            return Self { mantissa, left, right, wide: None };
        }
        let lost = (right + 32 - left as i32) as u32;
        Self { mantissa, left, right: 0, wide: Some(Wide { multiplier, exponent, lost }) }
    }

    /// `x` times the multiplier, rounded half up, saturating; `x` must be in the range it was made for.
    #[inline(always)]
    pub const fn apply(self, x: i32) -> i32 {
        if let Some(wide) = self.wide {
            return wide.apply(x);
        }
        half_up(high(x << (self.left & 31), self.mantissa) >> (self.right & 31))
    }

    /// Calls `put` with each place and the product of its `x`, as [`apply`](Self::apply) gives it.
    #[inline(always)]
    pub fn apply_all<P>(
        self,
        x: impl Iterator<Item = i32>,
        places: impl Iterator<Item = P>,
        mut put: impl FnMut(P, i32),
    ) {
        let Self { mantissa, left, right, .. } = self;
        if self.wide.is_some() {
            for (x, place) in x.zip(places) {
                put(place, self.apply(x));
            }
            return;
        }
        // Half of the last digit is added before the shift, which then rounds. A shift by 30 leaves no digit,
        // as one by 31 does.
        let right = if right > 30 { 30 } else { right };
        let half = 1 << right;
        for (x, place) in x.zip(places) {
            let upper = high(x << (left & 31), mantissa).wrapping_add(half);
            put(place, upper >> (right + 1));
        }
    }
}

/// Binary digits that factors of magnitude `largest` leave free, beside the sign.
const fn free(largest: u32) -> u32 {
    largest.leading_zeros().saturating_sub(1)
}

/// `⌊a·b / 2^lost⌋`, halved and rounded up, if at most 31 digits are lost and 31 are left.
#[inline(always)]
const fn cut(a: i32, b: i32, lost: u32) -> Option<i32> {
    if lost > 31 {
        return None;
    }
    let cut = (a as i64 * b as i64) >> lost;
    let low = cut as i32;
    if low as i64 == cut { Some((low >> 1) + (low & 1)) } else { None }
}

/// The upper half of a product.
#[inline(always)]
const fn high(a: i32, b: i32) -> i32 {
    ((a as i64 * b as i64) >> 32) as i32
}

/// Half of `x`, rounded up; for the upper half of a product, which has no more than 31 digits.
#[inline(always)]
const fn half_up(x: i32) -> i32 {
    x.wrapping_add(1) >> 1
}

/// Requantization of a matrix's outputs: multiplies sums of known magnitude by the scale of the input and the
/// scale of each row.
#[derive(Debug, Clone, Copy)]
pub struct RowScales {
    input: Multiplier,
    exponent: Exponent,
    /// The mantissa of `input`, with 32 digits.
    mantissa: u32,
    left: u32,
    /// `right` of [`PreparedMultiplier`] for a row whose scale has the exponent 0 in an `f32`'s bits.
    right: i32,
}

impl RowScales {
    /// For sums of magnitude `largest` at most, an input's scale, and results in units of
    /// `2^exponent`.
    #[inline]
    pub const fn new(input: f32, largest: u32, exponent: Exponent) -> Self {
        Self::from_multiplier(Multiplier::from_f32(input), largest, exponent)
    }

    /// As [`new`](Self::new), for a scale that is a multiplier already.
    #[inline]
    pub const fn from_multiplier(input: Multiplier, largest: u32, exponent: Exponent) -> Self {
        let left = free(largest);
        let (mantissa, from) = input.parts();
        // An f32's bits are 24 digits times 2^(biased - 150), here 32 digits times 2^(biased - 158); the
        // product with 32 more is cut to 32, or one less.
        let from = from - 1 + (32 - 158);
        let right = exponent.0 - from - 33 + left as i32;
        // A row of exponent 0, whose digits begin elsewhere, must not look like the others.
        let right = if right > 32 { right } else { i32::MIN };
        Self { input, exponent, mantissa: mantissa << 1, left, right }
    }

    /// `sum` times the scale of a row, which is finite and not negative, times the input's; the float is read
    /// by its bits. As `Multiplier::from_f32(row).times(input).apply(sum, exponent)`, to the bit.
    #[inline(always)]
    pub const fn apply(&self, sum: i32, row: f32) -> i32 {
        let row = row.to_bits();
        let product = ((row << 8) | (1 << 31)) as u64 * self.mantissa as u64;
        let top = (product >> 32) as u32;
        // 31 digits are kept.
        let excess = top >> 31;
        let mantissa = (top >> excess) as i32;
        let right = self.right.wrapping_sub((row >> 23) as i32).wrapping_sub(excess as i32);
        if (right as u32) < 32 {
            half_up(high(sum << (self.left & 31), mantissa) >> right)
        } else {
            self.apply_to_any(sum, row, mantissa, right)
        }
    }

    /// Returns the parameters of a vector kernel if it is right for all `rows`: the 32-digit mantissa of the
    /// input's scale, the left shift of the sums, and the right shift of the product with a row of exponent 0.
    pub(crate) fn fast_path(&self, rows: &[f32]) -> Option<(u32, u32, i32)> {
        let slow = rows.iter().map(|row| {
            let right = self.right.wrapping_sub((row.to_bits() >> 23) as i32).wrapping_sub(1);
            u32::from(right as u32 > 30)
        });
        (slow.sum::<u32>() == 0).then_some((self.mantissa, self.left, self.right))
    }

    /// The same for products with more digits or far fewer.
    #[inline(never)]
    const fn apply_to_any(&self, sum: i32, row: u32, mantissa: i32, right: i32) -> i32 {
        let lost = right.wrapping_add(32).wrapping_sub(self.left as i32) as u32;
        if let Some(y) = cut(sum, mantissa, lost) {
            return y;
        }
        Multiplier::from_f32(f32::from_bits(row)).times(self.input).apply(sum, self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::Random;

    /// Factors, multipliers and units of all magnitudes: results are ordinary numbers, vanish or saturate.
    #[test]
    fn has_the_bits_of_the_multiplier() {
        let mut random = Random::new(1);
        let mut fast = 0;
        for _ in 0..200_000 {
            let largest = random.next_u32() >> random.below(32);
            let multiplier = Multiplier::new(random.next_u64() >> random.below(63), -62)
                .shifted(random.below(100) as i32 - 50);
            let exponent = Exponent(random.below(60) as i32 - 40);
            let prepared = PreparedMultiplier::new(multiplier, largest, exponent);
            fast += u32::from(prepared.wide.is_none());
            let size = largest.min(1 << 31);
            for x in [0, 1, size / 3, size] {
                for x in [x.wrapping_neg() as i32, (x as i32).saturating_abs()] {
                    if x.unsigned_abs() <= largest {
                        let expected = multiplier.apply(x, exponent);
                        assert_eq!(prepared.apply(x), expected, "{prepared:?} {x} {largest}");
                    }
                }
            }
        }
        assert!(fast > 50_000, "{fast}");
        assert_eq!(PreparedMultiplier::new(Multiplier::ZERO, 0, Exponent(0)).apply(0), 0);
    }

    #[test]
    fn scales_of_rows_have_the_bits_of_the_multipliers() {
        let mut random = Random::new(2);
        let (mut fast, mut odd) = (0, 0);
        for round in 0..300_000 {
            let largest = random.next_u32() >> (1 + random.below(31));
            let any = |random: &mut Random| f32::from_bits(random.below(0x7f80_0000));
            let usual = |random: &mut Random| (random.normal() * 0.01).abs();
            let (row, input) = match round % 4 {
                0 => (any(&mut random), any(&mut random)),
                1 => (f32::from_bits(random.below(1 << 23)), any(&mut random)),
                2 => (0.0, any(&mut random)),
                _ => (usual(&mut random), usual(&mut random)),
            };
            let exponent = Exponent(random.below(60) as i32 - 40);
            let scales = RowScales::new(input, largest, exponent);
            for sum in [0, 1, -1, largest as i32, -(largest as i32), (largest / 7) as i32] {
                if sum.unsigned_abs() > largest {
                    continue;
                }
                let exact = Multiplier::from_f32(row).times(Multiplier::from_f32(input));
                let expected = exact.apply(sum, exponent);
                assert_eq!(scales.apply(sum, row), expected, "{scales:?} {row} {sum}");
                fast += u32::from(expected != 0 && expected.unsigned_abs() < 1 << 28);
                odd += u32::from(expected == i32::MAX || expected == i32::MIN);
            }
        }
        assert!(fast > 10_000 && odd > 10_000, "{fast} {odd}");
    }
}
