//! Multiplication by powers of two, rounded half up.

/// Returns `x · 2^by`, rounded half up and saturated.
#[inline(never)]
pub const fn mul_pow2(x: i64, by: i32) -> i64 {
    if by < 0 {
        let by = by.unsigned_abs();
        if by >= i64::BITS {
            return 0;
        }
        // One more bit is kept for rounding.
        return ((x >> (by - 1)).saturating_add(1)) >> 1;
    }
    let shifted = if by < i64::BITS as i32 { x << by } else { 0 };
    if by < i64::BITS as i32 && shifted >> by == x {
        shifted
    } else if x < 0 {
        i64::MIN
    } else if x > 0 {
        i64::MAX
    } else {
        0
    }
}

/// Returns `x · 2^-DIGITS`, rounded half up: [`mul_pow2`] by a constant, in few instructions.
#[inline(always)]
pub(crate) const fn round_shift<const DIGITS: u32>(x: i64) -> i64 {
    ((x >> (DIGITS - 1)) + 1) >> 1
}

/// A branchless shift to the left, or to the right with rounding half up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shift {
    left: u32,
    right: u32,
}

impl Shift {
    /// Creates a left shift by `by` in `-31..=30`, for numbers that fit after a shift by `by + 1`.
    pub const fn new(by: i32) -> Self {
        let left = by + 1;
        let right = -left;
        Self {
            left: if left > 0 { left as u32 } else { 0 },
            right: if right > 0 { right as u32 } else { 0 },
        }
    }

    /// Returns `x` shifted.
    #[inline(always)]
    pub const fn apply(self, x: i32) -> i32 {
        // Shifts by one place too many to the left, then rounds that place away.
        ((x << (self.left & 31)) >> (self.right & 31)).wrapping_add(1) >> 1
    }
}

/// Returns the nearest 32-bit integer.
#[inline]
pub const fn saturate(x: i64) -> i32 {
    if x > i32::MAX as i64 {
        i32::MAX
    } else if x < i32::MIN as i64 {
        i32::MIN
    } else {
        x as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_round_half_up_and_saturate() {
        assert_eq!(mul_pow2(-3, -1), -1);
        assert_eq!(mul_pow2(3, -1), 2);
        assert_eq!(mul_pow2(i64::MAX, 1), i64::MAX);
        assert_eq!(mul_pow2(-1, 64), i64::MIN);
        assert_eq!(mul_pow2(i64::MIN, -64), 0);
    }
}
