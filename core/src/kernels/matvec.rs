use super::arch;
use super::inputs::Inputs;
use super::portable::{add_weighted_rows_portable, matvec_portable};
use super::stored::Stored;

/// Computes `y_r = W·x_r` for every input row `x_r`.
///
/// `weights` is `W`, `[outs, cols]` in row-major order; `outputs` has one row of `outs` elements per input row.
/// Each element is one [`dot`](super::dot), so it does not depend on how many rows are computed together.
///
/// ```
/// use expe_core::internals::{matvec, Inputs};
/// use expe_core::F32;
/// let mut y = [0.0; 2];
/// matvec::<F32>(&[1.0, 2.0, 3.0, 4.0], 2, Inputs::new(&[1.0, 10.0], 2), &mut y, 2);
/// assert_eq!(y, [21.0, 43.0]);
/// ```
pub fn matvec<S: Stored>(
    weights: &[S::Bits],
    cols: usize,
    inputs: Inputs<'_>,
    outputs: &mut [f32],
    outs: usize,
) {
    if cols == 0 {
        outputs.fill(0.0);
    }
    if arch::each_dot(S::stored_slice(weights), cols, &inputs, outputs, outs, false) {
        return;
    }
    matvec_portable::<S>(weights, cols, inputs, outputs, outs, |y, value| *y = value);
}

/// Computes `y_r += W·x_r` for every input row `x_r`; see [`matvec`].
pub fn matvec_add<S: Stored>(
    weights: &[S::Bits],
    cols: usize,
    inputs: Inputs<'_>,
    outputs: &mut [f32],
    outs: usize,
) {
    if arch::each_dot(S::stored_slice(weights), cols, &inputs, outputs, outs, true) {
        return;
    }
    matvec_portable::<S>(weights, cols, inputs, outputs, outs, |y, value| *y += value);
}

/// Adds weighted rows: `y += Σ_m factors[m]·matrix[m]`, in the order of `m`. Rows have the width of `y`.
///
/// ```
/// use expe_core::internals::add_weighted_rows;
/// use expe_core::F32;
/// let mut y = [1.0, 1.0];
/// add_weighted_rows::<F32>(&[2.0, 3.0], &[1.0, 0.0, 0.0, 1.0], &mut y);
/// assert_eq!(y, [3.0, 4.0]);
/// ```
pub fn add_weighted_rows<S: Stored>(factors: &[f32], matrix: &[S::Bits], y: &mut [f32]) {
    if !arch::add_rows(factors, S::stored_slice(matrix), y) {
        add_weighted_rows_portable::<S>(factors, matrix, y);
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::kernels::{F32, dot};
    use crate::num::Random;

    fn normals(random: &mut Random, n: usize) -> Vec<f32> {
        (0..n).map(|_| random.normal()).collect()
    }

    #[test]
    fn rows_computed_together_are_bit_identical_to_single_rows() {
        let mut random = Random::new(2);
        for (outs, width, skip, rows) in [(5, 19, 3, 4), (16, 8, 0, 3), (1, 1, 0, 1), (3, 9, 8, 7)]
        {
            let w = normals(&mut random, outs * (width - skip));
            let x = normals(&mut random, rows * width);
            let start = normals(&mut random, rows * outs);
            let mut together = start.clone();
            let inputs = Inputs::new(&x, width).skip(skip);
            matvec_add::<F32>(&w, width - skip, inputs, &mut together, outs);
            let mut overwritten = vec![9.0; rows * outs];
            matvec::<F32>(&w, width - skip, inputs, &mut overwritten, outs);
            for r in 0..rows {
                for o in 0..outs {
                    let row = &w[o * (width - skip)..][..width - skip];
                    let alone = dot::<F32>(row, &x[r * width + skip..][..width - skip]);
                    assert_eq!(overwritten[r * outs + o], alone);
                    assert_eq!(together[r * outs + o], start[r * outs + o] + alone);
                }
            }
        }
    }

    #[test]
    fn weighted_rows_are_within_their_error_bound() {
        let mut random = Random::new(3);
        for (count, width) in [(1, 4), (7, 16), (100, 5)] {
            let factors = normals(&mut random, count);
            let rows = normals(&mut random, count * width);
            let mut y = vec![0.0; width];
            add_weighted_rows::<F32>(&factors, &rows, &mut y);
            for (i, y) in y.iter().enumerate() {
                let products =
                    || (0..count).map(|m| f64::from(factors[m]) * f64::from(rows[m * width + i]));
                let size: f64 = products().map(f64::abs).sum();
                // One rounding per product and one per addition, in order.
                let bound = (count + 1) as f64 * f64::from(f32::EPSILON) / 2.0 * size;
                assert!((f64::from(*y) - products().sum::<f64>()).abs() <= bound);
            }
        }
    }
}
