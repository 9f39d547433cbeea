//! Dot products of 8-bit and 4-bit integers, in 32 bits.

use super::rows::rows;
use crate::num::invariant::slice;

/// Number of columns of a 4-bit matrix that share a factor.
pub const GROUP: usize = 32;

/// Number of bytes of one group: byte `k` has column `k` in its low half and column `k + 16` in its high half,
/// each in two's complement.
pub const GROUP_BYTES: usize = GROUP / 2;

/// Largest width of an 8-bit matrix: `2^17 · 128 · 127 < 2^31`.
pub const INT8_MAX_COLS: usize = 1 << 17;

/// Largest width of a 4-bit matrix: `2^13/32 · 255 · 32 · 8 · 127 < 2^31`.
pub const INT4_MAX_COLS: usize = 1 << 13;

/// Number of products per block of the vectorized loop.
const LANES: usize = 16;

/// Number of columns per unrolled block on processors without vectors.
const UNROLLED: usize = 8;

/// Returns the exact dot product `Σ w_i·x_i` over the length of the shorter slice.
///
/// There may be up to [`INT8_MAX_COLS`] elements, and inputs of magnitude at most 127.
///
/// ```
/// use expe_core::internals::dot_int8;
/// assert_eq!(dot_int8(&[1, -2, 3], &[4, 5, 6]), 12);
/// ```
#[inline]
pub fn dot_int8(weights: &[i8], x: &[i8]) -> i32 {
    if cfg!(expe_mve) {
        // The compiler vectorizes this with a predicated tail.
        let products = weights.iter().zip(x).map(|(w, x)| i32::from(*w) * i32::from(*x));
        return products.fold(0, i32::wrapping_add);
    }
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
    let rest = slice(weights, whole..).iter().zip(slice(x, whole..));
    rest.fold(sum, |sum, (w, x)| sum.wrapping_add(i32::from(*w) * i32::from(*x)))
}

/// Computes [`dot_int8`] for four rows of weights of the length of `x`.
///
/// Every element of `x` is read once for all rows, which saves most of the loads on processors without vectors.
///
/// ```
/// use expe_core::internals::dot_int8_rows;
/// assert_eq!(dot_int8_rows([&[1, -2], &[3, 4], &[0, 1], &[5, 0]], &[10, 1]), [8, 34, 1, 50]);
/// ```
#[inline]
pub fn dot_int8_rows([a, b, c, d]: [&[i8]; 4], x: &[i8]) -> [i32; 4] {
    let (a_blocks, b_blocks) = (a.chunks_exact(UNROLLED), b.chunks_exact(UNROLLED));
    let (c_blocks, d_blocks) = (c.chunks_exact(UNROLLED), d.chunks_exact(UNROLLED));
    let x_blocks = x.chunks_exact(UNROLLED);
    let rest = (a_blocks.remainder().iter().zip(b_blocks.remainder()))
        .zip(c_blocks.remainder().iter().zip(d_blocks.remainder()))
        .zip(x_blocks.remainder());
    let mut sums = [0i32; 4];
    for ((((a, b), c), d), x) in a_blocks.zip(b_blocks).zip(c_blocks).zip(d_blocks).zip(x_blocks) {
        // All blocks have this length.
        if let (Some(a), Some(b), Some(c), Some(d), Some(x)) =
            (a.first_chunk(), b.first_chunk(), c.first_chunk(), d.first_chunk(), x.first_chunk())
        {
            add_cols(&mut sums, [a, b, c, d], x);
        }
    }
    for (((a, b), (c, d)), x) in rest {
        add_col(&mut sums, [*a, *b, *c, *d], *x);
    }
    sums
}

/// Adds the products of a block of columns. Unrolled by hand, because a loop is not unrolled when optimizing for
/// size.
#[inline(always)]
fn add_cols(sums: &mut [i32; 4], [a, b, c, d]: [&[i8; UNROLLED]; 4], x: &[i8; UNROLLED]) {
    add_col(sums, [a[0], b[0], c[0], d[0]], x[0]);
    add_col(sums, [a[1], b[1], c[1], d[1]], x[1]);
    add_col(sums, [a[2], b[2], c[2], d[2]], x[2]);
    add_col(sums, [a[3], b[3], c[3], d[3]], x[3]);
    add_col(sums, [a[4], b[4], c[4], d[4]], x[4]);
    add_col(sums, [a[5], b[5], c[5], d[5]], x[5]);
    add_col(sums, [a[6], b[6], c[6], d[6]], x[6]);
    add_col(sums, [a[7], b[7], c[7], d[7]], x[7]);
}

/// Adds the products of one column.
#[inline(always)]
fn add_col(sums: &mut [i32; 4], [a, b, c, d]: [i8; 4], x: i8) {
    let x = i32::from(x);
    sums[0] = sums[0].wrapping_add(i32::from(a) * x);
    sums[1] = sums[1].wrapping_add(i32::from(b) * x);
    sums[2] = sums[2].wrapping_add(i32::from(c) * x);
    sums[3] = sums[3].wrapping_add(i32::from(d) * x);
}

/// Returns the exact dot product `Σ_g factors[g]·Σ_{i in g} w_i·x_i` over groups `g` of [`GROUP`] columns.
///
/// There may be up to [`INT4_MAX_COLS`] elements, and inputs of magnitude at most 127. The last group of `x` may
/// be shorter.
///
/// ```
/// use expe_core::internals::{dot_int4, GROUP_BYTES};
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

/// Returns column `k` of a group, given byte `k`.
#[inline(always)]
pub const fn low_half(byte: u8) -> i8 {
    (byte << 4) as i8 >> 4
}

/// Returns column `k + 16` of a group, given byte `k`.
#[inline(always)]
pub const fn high_half(byte: u8) -> i8 {
    byte as i8 >> 4
}

/// Returns the 4-bit integers of one group in column order.
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
        let most = INT8_MAX_COLS as i64 * 128 * 127;
        assert!(most <= i64::from(i32::MAX));
        let (w, x) = (std::vec![-128i8; INT8_MAX_COLS], std::vec![127i8; INT8_MAX_COLS]);
        assert_eq!(i64::from(dot_int8(&w, &x)), -most);

        let most = INT4_MAX_COLS as i64 * 255 * 8 * 127;
        assert!(most <= i64::from(i32::MAX));
        let groups = INT4_MAX_COLS / GROUP;
        let (w, factors) = (std::vec![0x88u8; INT4_MAX_COLS / 2], std::vec![255u8; groups]);
        assert_eq!(i64::from(dot_int4(&w, &factors, &x)), -most);
    }
}
