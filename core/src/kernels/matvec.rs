use super::arch::{self, QuantRows};
use super::{Stored, dot, rows, rows_mut};

/// Input rows of a matrix product: rows of `width` numbers, of which the first `skip` are left out,
/// and for matrices of integers the same rows as 8-bit integers with a scale each.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a, R = f32> {
    pub(super) data: &'a [R],
    quants: &'a [i8],
    scales: &'a [f32],
    pub(super) width: usize,
    pub(super) skip: usize,
}

impl<'a, R> Inputs<'a, R> {
    /// Whole rows of `width` elements.
    pub const fn new(data: &'a [R], width: usize) -> Self {
        Self { data, quants: &[], scales: &[], width, skip: 0 }
    }

    /// The same rows with their 8-bit integers, also `width` a row, and the scale of each row.
    #[must_use]
    pub const fn with_quants(self, quants: &'a [i8], scales: &'a [f32]) -> Self {
        Self { quants, scales, ..self }
    }

    /// The same rows without their first `skip` elements.
    #[must_use]
    pub const fn skip(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    /// The same rows without the first `count` of them.
    #[must_use]
    pub fn from(self, count: usize) -> Self {
        let start = count.saturating_mul(self.width);
        Self {
            data: self.data.get(start..).unwrap_or(&[]),
            quants: self.quants.get(start..).unwrap_or(&[]),
            scales: self.scales.get(count..).unwrap_or(&[]),
            ..self
        }
    }

    /// The rows, in order; an incomplete last row is left out.
    pub fn iter(&self) -> impl Iterator<Item = &'a [R]> + use<'a, R> {
        let skip = self.skip;
        rows(self.data, self.width).map(move |row| row.get(skip..).unwrap_or(&[]))
    }

    /// The rows as 8-bit integers, up to `most` of them.
    pub(super) fn quant_rows(&self, most: usize) -> QuantRows<'a> {
        let data = self.quants.get(self.skip..).unwrap_or(&[]);
        QuantRows { data, stride: self.width, most: most.min(self.scales.len()) }
    }

    /// The rows as 8-bit integers, each with its scale, in order.
    pub fn quants(&self) -> impl Iterator<Item = (&'a [i8], f32)> + use<'a, R> {
        let skip = self.skip;
        let rows = rows(self.quants, self.width).map(move |row| row.get(skip..).unwrap_or(&[]));
        rows.zip(self.scales.iter().copied())
    }
}

/// `put(y, w·x)` for every place `y` of the outputs: the portable twin of what is in `arch`.
#[inline(always)]
pub(super) fn matvec_portable<S: Stored>(
    weights: &[S::Bits],
    cols: usize,
    inputs: Inputs<'_>,
    outputs: &mut [f32],
    outs: usize,
    put: impl Fn(&mut f32, f32),
) {
    // Weights outside, rows inside: a weight row is read from memory once for all input rows.
    for (o, row) in rows(weights, cols).enumerate() {
        for (x, y) in inputs.iter().zip(rows_mut(outputs, outs)) {
            if let Some(y) = y.get_mut(o) {
                put(y, dot::<S>(row, x));
            }
        }
    }
}

/// `y_r = W·x_r` for every row `r`: `weights` is `W`, `[outs, columns]`, row by row, and `outputs`
/// holds one row of `outs` elements per input row.
///
/// Each element is one [`dot`], so it has the same bits however many rows are given together.
///
/// ```
/// use expe_core::kernels::{F32, Inputs, matvec};
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

/// `y_r += W·x_r`: [`matvec`] onto what `outputs` holds already.
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

/// `y += Σ_m factors[m]·matrix[m]`, rows as wide as `y`, in the order of `m`.
///
/// ```
/// use expe_core::kernels::{F32, add_weighted_rows};
/// let mut y = [1.0, 1.0];
/// add_weighted_rows::<F32>(&[2.0, 3.0], &[1.0, 0.0, 0.0, 1.0], &mut y);
/// assert_eq!(y, [3.0, 4.0]);
/// ```
pub fn add_weighted_rows<S: Stored>(factors: &[f32], matrix: &[S::Bits], y: &mut [f32]) {
    if !arch::add_rows(factors, S::stored_slice(matrix), y) {
        add_weighted_rows_portable::<S>(factors, matrix, y);
    }
}

/// The portable twin of what is in `arch`.
pub(super) fn add_weighted_rows_portable<S: Stored>(
    factors: &[f32],
    matrix: &[S::Bits],
    y: &mut [f32],
) {
    for (factor, row) in factors.iter().zip(rows(matrix, y.len())) {
        for (y, x) in y.iter_mut().zip(row) {
            *y += factor * S::widen(*x);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::kernels::F32;
    use crate::num::Random;

    fn normals(random: &mut Random, n: usize) -> Vec<f32> {
        (0..n).map(|_| random.normal()).collect()
    }

    #[test]
    fn rows_together_have_the_bits_of_rows_alone() {
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
