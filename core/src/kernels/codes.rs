//! Sums of products of 8-bit and 4-bit integers, in 32 bits.

use super::rows;

/// Columns of a matrix of 4-bit integers that share a factor.
pub const GROUP: usize = 32;

/// Bytes that hold one group: byte `k` has column `k` in its low half and column `k + 16` in its high
/// half, each in two's complement.
pub const GROUP_BYTES: usize = GROUP / 2;

/// The most columns of a matrix of 8-bit integers: `2^17 · 128 · 127 < 2^31`.
pub const INT8_COLUMNS: usize = 1 << 17;

/// The most columns of a matrix of 4-bit integers: `2^13/32 · 255 · 32 · 8 · 127 < 2^31`.
pub const INT4_COLUMNS: usize = 1 << 13;

/// Independent partial sums: one vector register or two on every target.
const LANES: usize = 16;

/// `Σ w_i·x_i` over the shorter of the two, exactly, for up to [`INT8_COLUMNS`] weights and inputs of
/// at most 127.
///
/// ```
/// use expe_core::kernels::dot_int8;
/// assert_eq!(dot_int8(&[1, -2, 3], &[4, 5, 6]), 12);
/// ```
#[inline]
pub fn dot_int8(weights: &[i8], x: &[i8]) -> i32 {
    let count = weights.len().min(x.len());
    let blocks = count / LANES;
    let mut sum = 0i32;
    for start in (0..blocks).map(|block| block * LANES) {
        let (Some(w), Some(x)) = (weights.get(start..start + LANES), x.get(start..start + LANES))
        else {
            break;
        };
        for (w, x) in w.iter().zip(x) {
            sum = sum.wrapping_add(i32::from(*w) * i32::from(*x));
        }
    }
    let whole = blocks * LANES;
    let rest = weights.get(whole..).unwrap_or(&[]).iter().zip(x.get(whole..).unwrap_or(&[]));
    rest.fold(sum, |sum, (w, x)| sum.wrapping_add(i32::from(*w) * i32::from(*x)))
}

/// `Σ_g factors[g]·Σ_{i in g} w_i·x_i` over groups of [`GROUP`], exactly, for up to [`INT4_COLUMNS`]
/// weights and inputs of at most 127; a last group may be shorter.
///
/// ```
/// use expe_core::kernels::{GROUP_BYTES, dot_int4};
/// let mut group = [0u8; GROUP_BYTES];
/// group[0] = 0x2f; // columns 0 and 16: -1 and 2
/// let mut x = [0i8; 32];
/// (x[0], x[16]) = (10, 100);
/// assert_eq!(dot_int4(&group, &[3], &x), 3 * (-10 + 200));
/// ```
#[inline]
pub fn dot_int4(weights: &[u8], factors: &[u8], x: &[i8]) -> i32 {
    let mut sum = 0i32;
    let mut rest = x;
    for (group, factor) in rows(weights, GROUP_BYTES).zip(factors) {
        let (low, tail) = rest.split_at_checked(GROUP_BYTES).unwrap_or((rest, &[]));
        let (high, tail) = tail.split_at_checked(GROUP_BYTES).unwrap_or((tail, &[]));
        rest = tail;
        let mut part = 0i32;
        for (w, x) in group.iter().zip(low) {
            part = part.wrapping_add(i32::from(low_half(*w)) * i32::from(*x));
        }
        for (w, x) in group.iter().zip(high) {
            part = part.wrapping_add(i32::from(high_half(*w)) * i32::from(*x));
        }
        sum = sum.wrapping_add(part.wrapping_mul(i32::from(*factor)));
    }
    sum
}

/// Column `k` of a group, of its byte `k`.
#[inline(always)]
pub const fn low_half(byte: u8) -> i8 {
    (byte << 4) as i8 >> 4
}

/// Column `k + 16` of a group, of its byte `k`.
#[inline(always)]
pub const fn high_half(byte: u8) -> i8 {
    byte as i8 >> 4
}

/// The 4-bit integers of one group, in the order of the columns.
pub fn unpack_group(group: &[u8]) -> impl Iterator<Item = i8> {
    group.iter().map(|byte| low_half(*byte)).chain(group.iter().map(|byte| high_half(*byte)))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::num::Random;

    #[test]
    fn sums_are_exact_at_every_length() {
        let mut random = Random::new(1);
        for count in 0..200usize {
            let x: Vec<i8> = (0..count).map(|_| random.below(255) as i8).collect();
            let w: Vec<i8> = (0..count).map(|_| random.below(256) as i8).collect();
            let exact: i64 = w.iter().zip(&x).map(|(w, x)| i64::from(*w) * i64::from(*x)).sum();
            assert_eq!(i64::from(dot_int8(&w, &x)), exact);

            let groups = count.div_ceil(GROUP);
            let packed: Vec<u8> =
                (0..groups * GROUP_BYTES).map(|_| random.below(256) as u8).collect();
            let factors: Vec<u8> = (0..groups).map(|_| random.below(256) as u8).collect();
            let weights = packed.chunks(GROUP_BYTES).flat_map(unpack_group);
            let exact: i64 = weights
                .zip(&x)
                .enumerate()
                .map(|(i, (w, x))| i64::from(factors[i / GROUP]) * i64::from(w) * i64::from(*x))
                .sum();
            assert_eq!(i64::from(dot_int4(&packed, &factors, &x)), exact);
        }
    }

    #[test]
    fn the_largest_sums_fit() {
        let most = INT8_COLUMNS as i64 * 128 * 127;
        assert!(most <= i64::from(i32::MAX));
        let (w, x) = (std::vec![-128i8; INT8_COLUMNS], std::vec![127i8; INT8_COLUMNS]);
        assert_eq!(i64::from(dot_int8(&w, &x)), -most);

        let most = INT4_COLUMNS as i64 * 255 * 8 * 127;
        assert!(most <= i64::from(i32::MAX));
        let groups = INT4_COLUMNS / GROUP;
        let (w, factors) = (std::vec![0x88u8; INT4_COLUMNS / 2], std::vec![255u8; groups]);
        assert_eq!(i64::from(dot_int4(&w, &factors, &x)), -most);
    }
}
