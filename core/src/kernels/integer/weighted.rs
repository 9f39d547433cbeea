use crate::kernels::arch;
use crate::kernels::rows::rows;
use crate::num::invariant::{slice, slice_mut};

/// Adds weighted rows of 8-bit integers: `y += Σ_m weights[m]·matrix[m]`, wrapping. Rows have the width of `y`.
///
/// The integer form of [`kernels::add_weighted_rows`](crate::kernels::add_weighted_rows).
///
/// ```
/// use expe_core::internals::integer::add_weighted_rows;
/// let mut y = [1, 1];
/// add_weighted_rows(&[2, 3], &[1, 0, 0, -1], &mut y);
/// assert_eq!(y, [3, -2]);
/// ```
#[inline(never)]
pub fn add_weighted_rows(weights: &[i32], matrix: &[i8], y: &mut [i32]) {
    let width = y.len();
    let mut start = arch::add_weighted(weights, matrix, y);
    // Eight sums at a time stay in registers while all rows are added.
    let mut blocks = slice_mut(y, start..).chunks_exact_mut(8);
    for block in &mut blocks {
        let mut sums = [0i32; 8];
        for (weight, row) in weights.iter().zip(rows(matrix, width)) {
            let row = slice(row, start..).first_chunk::<8>().unwrap_or(&[0; 8]);
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum = sum.wrapping_add(weight.wrapping_mul(i32::from(*x)));
            }
        }
        for (y, sum) in block.iter_mut().zip(sums) {
            *y = y.wrapping_add(sum);
        }
        start += 8;
    }
    let rest = blocks.into_remainder();
    for (weight, row) in weights.iter().zip(rows(matrix, width)) {
        for (y, x) in rest.iter_mut().zip(slice(row, start..)) {
            *y = y.wrapping_add(weight.wrapping_mul(i32::from(*x)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::num::Random;

    #[test]
    fn weighted_sums_are_exact_for_any_number_of_rows() {
        let mut random = Random::new(1);
        for (count, width) in (0..11usize).flat_map(|n| [1, 3, 8, 21].map(|width| (n, width))) {
            let weights: Vec<i32> = (0..count).map(|_| random.below(1 << 20) as i32).collect();
            let matrix: Vec<i8> = (0..count * width).map(|_| random.below(256) as i8).collect();
            let mut y = std::vec![5; width];
            add_weighted_rows(&weights, &matrix, &mut y);
            for (i, y) in y.into_iter().enumerate() {
                let rows = weights.iter().zip(matrix.chunks(width));
                let sum: i64 = rows.map(|(w, row)| i64::from(*w) * i64::from(row[i])).sum();
                assert_eq!(i64::from(y), 5 + sum);
            }
        }
    }
}
