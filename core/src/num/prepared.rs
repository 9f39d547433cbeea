use super::{Exponent, Multiplier};

/// A [`Multiplier`] prepared for many factors of bounded magnitude.
///
/// Each product takes a 32-bit by 32-bit multiplication, of which the upper half is used, and two shifts.
///
/// [`apply`](Self::apply) is bit-identical to [`Multiplier::apply`]: it rounds `x·m·2^e` half up starting from
/// `⌊x·2^left·m / 2^32⌋`, because truncating twice in the same direction equals truncating once.
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
    /// Left shift of a factor before the multiplication: its number of free digits.
    left: u32,
    /// Right shift of the product's upper half, minus the digit used for rounding.
    right: u32,
    /// Set if the upper half of a product has too few digits; then the slower path is taken.
    wide: Option<Wide>,
}

/// A multiplier for products of which more than the upper half is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wide {
    multiplier: Multiplier,
    exponent: Exponent,
    /// Number of digits to drop from a product, minus the one used for rounding.
    dropped: u32,
}

impl Wide {
    #[inline(never)]
    const fn apply(&self, x: i32) -> i32 {
        match narrow_product(x, self.multiplier.parts().0 as i32, self.dropped) {
            Some(y) => y,
            None => self.multiplier.apply(x, self.exponent),
        }
    }
}

impl PreparedMultiplier {
    /// Prepares `multiplier` for factors of magnitude at most `largest` and products in units of `2^exponent`.
    #[inline]
    pub const fn new(multiplier: Multiplier, largest: u32, exponent: Exponent) -> Self {
        let left = free_digits(largest);
        let (mantissa, from) = multiplier.parts();
        // 33 digits are dropped: 32 with the lower half and one by rounding.
        let right = exponent.0 - from - 33 + left as i32;
        let mantissa = mantissa as i32;
        if right >= 0 {
            let right = if right > 31 { 31 } else { right as u32 };
            return Self { mantissa, left, right, wide: None };
        }
        let dropped = (right + 32 - left as i32) as u32;
        Self { mantissa, left, right: 0, wide: Some(Wide { multiplier, exponent, dropped }) }
    }

    /// Returns `x` times the multiplier, rounded half up and saturated; `|x|` must be at most `largest`.
    #[inline(always)]
    pub const fn apply(self, x: i32) -> i32 {
        if let Some(wide) = self.wide {
            return wide.apply(x);
        }
        half_up(high(x << (self.left & 31), self.mantissa) >> (self.right & 31))
    }

    /// Calls `put` with each place and the [product](Self::apply) of the corresponding `x`.
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
        // Half of the last digit is added before the shift, so that the shift rounds. Shifting by 30 instead of
        // 31 makes no difference: no digit is left.
        let right = if right > 30 { 30 } else { right };
        let half = 1 << right;
        for (x, place) in x.zip(places) {
            let upper = high(x << (left & 31), mantissa).wrapping_add(half);
            put(place, upper >> (right + 1));
        }
    }
}

/// Returns the number of unused binary digits, apart from the sign, of factors of magnitude at most `largest`.
const fn free_digits(largest: u32) -> u32 {
    largest.leading_zeros().saturating_sub(1)
}

/// Returns half of `⌊a·b / 2^dropped⌋`, rounded up; `None` if `dropped > 31` or the floor does not fit in `i32`.
#[inline(always)]
const fn narrow_product(a: i32, b: i32, dropped: u32) -> Option<i32> {
    if dropped > 31 {
        return None;
    }
    let floor = (a as i64 * b as i64) >> dropped;
    let low = floor as i32;
    if low as i64 == floor { Some((low >> 1) + (low & 1)) } else { None }
}

/// Returns the upper half of a product.
#[inline(always)]
const fn high(a: i32, b: i32) -> i32 {
    ((a as i64 * b as i64) >> 32) as i32
}

/// Returns half of `x`, rounded up; `x` is the upper half of a product and has at most 31 digits.
#[inline(always)]
const fn half_up(x: i32) -> i32 {
    x.wrapping_add(1) >> 1
}

/// The scales for requantizing the outputs of a matrix.
///
/// Multiplies sums of bounded magnitude by the scale of the input and the scale of each row.
#[derive(Debug, Clone, Copy)]
pub struct RowScales {
    input: Multiplier,
    exponent: Exponent,
    /// The mantissa of `input`, with 32 digits.
    mantissa: u32,
    left: u32,
    /// `right` of [`PreparedMultiplier`] for a row scale whose biased `f32` exponent is 0.
    right: i32,
}

impl RowScales {
    /// Prepares the scale `input` for sums of magnitude at most `largest` and results in units of `2^exponent`.
    #[inline]
    pub const fn new(input: f32, largest: u32, exponent: Exponent) -> Self {
        Self::from_multiplier(Multiplier::from_f32(input), largest, exponent)
    }

    /// Like [`new`](Self::new), with the scale as a multiplier.
    #[inline]
    pub const fn from_multiplier(input: Multiplier, largest: u32, exponent: Exponent) -> Self {
        let left = free_digits(largest);
        let (mantissa, from) = input.parts();
        // An f32 is 24 digits times 2^(biased - 150), used here as 32 digits times 2^(biased - 158). Its product
        // with 32 more digits is truncated to 31 or 32 digits.
        let from = from - 1 + (32 - 158);
        let right = exponent.0 - from - 33 + left as i32;
        // Subnormal row scales have no implicit digit, so they must not take the fast path.
        let right = if right > 32 { right } else { i32::MIN };
        Self { input, exponent, mantissa: mantissa << 1, left, right }
    }

    /// Returns `sum` times the scale `row` times the scale of the input, without floating-point instructions.
    ///
    /// `row` must be finite and not negative. The result is bit-identical to
    /// `Multiplier::from_f32(row).times(input).apply(sum, exponent)`.
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
            self.apply_slow(sum, row, mantissa, right)
        }
    }

    /// Returns the parameters of a vector kernel, or `None` if any of `rows` is outside its range.
    ///
    /// They are the 32-digit mantissa of the input's scale, the left shift of the sums, and the right shift of
    /// the product for a row scale whose biased exponent is 0.
    pub(crate) fn fast_path(&self, rows: &[f32]) -> Option<(u32, u32, i32)> {
        let slow = rows.iter().map(|row| {
            let right = self.right.wrapping_sub((row.to_bits() >> 23) as i32).wrapping_sub(1);
            u32::from(right as u32 > 30)
        });
        (slow.sum::<u32>() == 0).then_some((self.mantissa, self.left, self.right))
    }

    /// [`apply`](Self::apply) for products that the fast path cannot shift into place.
    #[inline(never)]
    const fn apply_slow(&self, sum: i32, row: u32, mantissa: i32, right: i32) -> i32 {
        let dropped = right.wrapping_add(32).wrapping_sub(self.left as i32) as u32;
        if let Some(y) = narrow_product(sum, mantissa, dropped) {
            return y;
        }
        Multiplier::from_f32(f32::from_bits(row)).times(self.input).apply(sum, self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::Random;

    /// Factors, multipliers and units of all magnitudes, so that results are ordinary, zero or saturated.
    #[test]
    fn products_are_bit_identical_to_the_multiplier() {
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
    fn row_scales_are_bit_identical_to_multipliers() {
        let mut random = Random::new(2);
        let (mut ordinary, mut saturated) = (0, 0);
        for round in 0..300_000 {
            let largest = random.next_u32() >> (1 + random.below(31));
            let any = |random: &mut Random| f32::from_bits(random.below(0x7f80_0000));
            let typical = |random: &mut Random| (random.normal() * 0.01).abs();
            let (row, input) = match round % 4 {
                0 => (any(&mut random), any(&mut random)),
                1 => (f32::from_bits(random.below(1 << 23)), any(&mut random)),
                2 => (0.0, any(&mut random)),
                _ => (typical(&mut random), typical(&mut random)),
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
                ordinary += u32::from(expected != 0 && expected.unsigned_abs() < 1 << 28);
                saturated += u32::from(expected == i32::MAX || expected == i32::MIN);
            }
        }
        assert!(ordinary > 10_000 && saturated > 10_000, "{ordinary} {saturated}");
    }
}
