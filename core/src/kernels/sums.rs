//! Integer dot products of every row of a matrix with an input.

use super::arch;
use super::dot_quants::{GROUP_BYTES, dot_int4, dot_int8, dot_int8_rows};
use super::rows::rows;
use crate::num::invariant::slice_mut;

/// Whether to compute four rows at a time, reading each input once for all of them.
///
/// True on microcontrollers without vectors, unless `arch` has a kernel for them.
const FOUR_ROWS: bool = cfg!(any(
    all(target_arch = "arm", not(any(expe_base, expe_mve))),
    all(target_arch = "riscv32", not(target_feature = "m")),
));

/// Computes the exact sums `sums_o = Σ_i W[o, i]·x_i` for a matrix of 8-bit integers with `cols` columns.
///
/// Each is the [`dot_int8`] of a row with `x`. Computes as many as there are rows or elements of `sums`, whichever
/// is less.
///
/// ```
/// use expe_core::internals::sums_int8;
/// let mut sums = [0; 2];
/// sums_int8(&[1, -2, 3, 4], 2, &[10, 1], &mut sums);
/// assert_eq!(sums, [8, 34]);
/// ```
pub fn sums_int8(weights: &[i8], cols: usize, x: &[i8], sums: &mut [i32]) {
    if arch::sums_int8(weights, cols, x, sums) {
        return;
    }
    if FOUR_ROWS {
        sums_of_four_rows(weights, cols, x, sums);
    } else {
        for (sum, row) in sums.iter_mut().zip(rows(weights, cols)) {
            *sum = dot_int8(row, x);
        }
    }
}

/// [`sums_int8`], four rows at a time.
fn sums_of_four_rows(weights: &[i8], cols: usize, x: &[i8], sums: &mut [i32]) {
    let mut weights = rows(weights, cols);
    let count = weights.len().min(sums.len());
    for sums in slice_mut(sums, ..count).chunks_mut(4) {
        if let [a, b, c, d] = sums {
            let rows = [weights.next(), weights.next(), weights.next(), weights.next()];
            debug_assert!(rows.iter().all(Option::is_some), "there is a row for every sum");
            [*a, *b, *c, *d] = dot_int8_rows(rows.map(Option::unwrap_or_default), x);
        } else {
            for (sum, row) in sums.iter_mut().zip(&mut weights) {
                *sum = dot_int8(row, x);
            }
        }
    }
}

/// Like [`sums_int8`] for a matrix of 4-bit integers: one [`dot_int4`] per row.
///
/// `quants` and `factors` have `groups` groups per row.
pub fn sums_int4(quants: &[u8], factors: &[u8], groups: usize, x: &[i8], sums: &mut [i32]) {
    if arch::sums_int4(quants, factors, groups, x, sums) {
        return;
    }
    let weights = rows(quants, groups * GROUP_BYTES).zip(rows(factors, groups));
    for (sum, (quants, factors)) in sums.iter_mut().zip(weights) {
        *sum = dot_int4(quants, factors, x);
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::kernels::dot_quants::GROUP;
    use crate::num::Random;

    #[test]
    fn sums_match_the_dot_products_of_single_rows() {
        let mut random = Random::new(2);
        for (count, cols) in (0..12usize).flat_map(|n| [0, 1, 2, 3, 5, 16, 37].map(|c| (n, c))) {
            let x: Vec<i8> = (0..cols).map(|_| random.below(255) as i8).collect();
            let w: Vec<i8> = (0..count * cols).map(|_| random.below(256) as i8).collect();
            let alone = |count| -> Vec<i32> {
                let mut sums: Vec<i32> = rows(&w, cols).map(|row| dot_int8(row, &x)).collect();
                sums.resize(count, 7);
                sums
            };
            for places in [count, count + 1, count.saturating_sub(2)] {
                for function in [sums_int8, sums_of_four_rows] {
                    let mut sums = std::vec![7; places];
                    function(&w, cols, &x, &mut sums);
                    assert_eq!(sums, alone(places), "{count} {cols} {places}");
                }
            }
            let row = |o: usize| rows(&w, cols).nth(o).unwrap_or(&[]);
            let found = dot_int8_rows([row(0), row(1), row(2), row(3)], &x);
            let exact = [0, 1, 2, 3].map(|o| dot_int8(row(o), &x));
            assert!(found == exact || count < 4);

            let groups = cols.div_ceil(GROUP);
            let quants: Vec<u8> =
                (0..count * groups * GROUP_BYTES).map(|_| random.below(256) as u8).collect();
            let factors: Vec<u8> = (0..count * groups).map(|_| random.below(256) as u8).collect();
            let mut sums = std::vec![0; count];
            sums_int4(&quants, &factors, groups, &x, &mut sums);
            for (o, sum) in sums.into_iter().enumerate() {
                let quants = rows(&quants, groups * GROUP_BYTES).nth(o).unwrap_or(&[]);
                let factors = rows(&factors, groups).nth(o).unwrap_or(&[]);
                assert_eq!(sum, dot_int4(quants, factors, &x));
            }
        }
    }
}
