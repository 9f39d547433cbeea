use crate::kernels::rows;

/// `y += Σ_m weights[m]·matrix[m]`, rows of 8-bit integers as wide as `y`; wraps where 32 bits end. The
/// twin of [`kernels::add_weighted_rows`](crate::kernels::add_weighted_rows).
///
/// ```
/// use expe_core::kernels::integer::add_weighted_rows;
/// let mut y = [1, 1];
/// add_weighted_rows(&[2, 3], &[1, 0, 0, -1], &mut y);
/// assert_eq!(y, [3, -2]);
/// ```
#[inline(never)]
pub fn add_weighted_rows(weights: &[i32], matrix: &[i8], y: &mut [i32]) {
    let width = y.len();
    let mut matrix = rows(matrix, width);
    let product = |weight: i32, x: i8| weight.wrapping_mul(i32::from(x));
    // Four rows together: a sum is read and written once for all of them.
    let fours = weights.chunks_exact(4);
    let rest = fours.remainder();
    for four in fours {
        let ([a, b, c, d], Some(p), Some(q), Some(r), Some(s)) =
            (four, matrix.next(), matrix.next(), matrix.next(), matrix.next())
        else {
            return;
        };
        for ((((y, p), q), r), s) in y.iter_mut().zip(p).zip(q).zip(r).zip(s) {
            let first = product(*a, *p).wrapping_add(product(*b, *q));
            let second = product(*c, *r).wrapping_add(product(*d, *s));
            *y = y.wrapping_add(first).wrapping_add(second);
        }
    }
    for (weight, row) in rest.iter().zip(matrix) {
        for (y, x) in y.iter_mut().zip(row) {
            *y = y.wrapping_add(product(*weight, *x));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::num::Random;

    #[test]
    fn is_exact_for_any_number_of_rows() {
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
