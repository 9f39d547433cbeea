//! Matrix products on slices, through the `gemm` crate on the calling thread.
#![allow(unsafe_code)]

use gemm::Parallelism;

use crate::ops::trace;
use crate::ops::view::{Mode, View, ViewMut};

/// Computes `to = factor·lhs·rhs`, or adds it to `to`.
///
/// # Panics
/// If the sizes do not fit together or a matrix does not fit into its slice.
pub fn multiply(
    to: ViewMut<&mut [f32]>,
    mode: Mode,
    factor: f32,
    lhs: View<&[f32]>,
    rhs: View<&[f32]>,
) {
    let (rows, cols, (_, inner)) = (to.rows, to.cols, lhs.size());
    assert_eq!((lhs.size().0, rhs.size()), (rows, (inner, cols)), "sizes of a product");
    if rows == 0 || cols == 0 || inner == 0 {
        // An empty sum is zero.
        if mode == Mode::Set && cols > 0 {
            let rows = to.data.chunks_mut(to.stride).take(rows);
            rows.for_each(|row| row[..cols].fill(0.0));
        }
        return;
    }
    let last = |rows: usize, cols: usize, stride: usize| {
        rows.saturating_sub(1) * stride + cols.saturating_sub(1)
    };
    let inside = |view: &View<&[f32]>| last(view.rows, view.cols, view.stride) < view.data.len();
    assert!(cols <= to.stride || rows < 2, "rows of a result overlap");
    assert!(last(rows, cols, to.stride) < to.data.len(), "result beyond its slice");
    assert!(inside(&lhs) && inside(&rhs), "factor beyond its slice");
    let strides = |view: &View<&[f32]>| {
        let (row, col) = if view.transposed { (1, view.stride) } else { (view.stride, 1) };
        (row as isize, col as isize)
    };
    let ((lhs_row, lhs_col), (rhs_row, rhs_col)) = (strides(&lhs), strides(&rhs));
    let _span = trace::product(rows, cols, inner);
    // SAFETY: the last element of each matrix, and with it every one, lies inside its slice, as was just
    // checked; rows of the result do not overlap; the result is borrowed exclusively, so it overlaps neither
    // factor. Strides are those of slices, which fit an `isize`.
    unsafe {
        gemm::gemm(
            rows,
            cols,
            inner,
            to.data.as_mut_ptr(),
            1,
            to.stride as isize,
            mode == Mode::Add,
            lhs.data.as_ptr(),
            lhs_col,
            lhs_row,
            rhs.data.as_ptr(),
            rhs_col,
            rhs_row,
            1.0,
            factor,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::normal;
    use super::*;

    /// With numbers of size up to 5 and sums of at most 70 terms, each rounding is below
    /// `25·70·2^-24 = 1e-4`, and errors of all of them together below `70` times that; normally
    /// distributed ones come nowhere near, so 1e-4 is what is asked for.
    #[test]
    fn follows_the_definition_for_odd_sizes_and_strides() {
        for (seed, (rows, cols, inner)) in
            [(1, 1, 1), (3, 5, 7), (17, 33, 70), (64, 16, 9), (4, 3, 0)].into_iter().enumerate()
        {
            for (left, right) in [(false, false), (true, false), (false, true), (true, true)] {
                for mode in [Mode::Set, Mode::Add] {
                    let (stride, factor) = (cols + 3, 0.75);
                    let a = normal(rows * inner, seed as u64);
                    let b = normal(inner * cols, seed as u64 + 9);
                    let before = normal(rows * stride, seed as u64 + 18);
                    let mut found = before.clone();
                    let lhs = match left {
                        false => View::new(&a[..], rows, inner, inner),
                        true => View::new(&a[..], inner, rows, rows).transposed(),
                    };
                    let rhs = match right {
                        false => View::new(&b[..], inner, cols, cols),
                        true => View::new(&b[..], cols, inner, inner).transposed(),
                    };
                    multiply(
                        ViewMut::new(&mut found[..], rows, cols, stride),
                        mode,
                        factor,
                        lhs,
                        rhs,
                    );
                    for r in 0..rows {
                        for c in 0..stride {
                            let old = f64::from(before[r * stride + c]);
                            let sum: f64 = (0..inner)
                                .map(|i| {
                                    let a = a[if left { i * rows + r } else { r * inner + i }];
                                    let b = b.get(if right { c * inner + i } else { i * cols + c });
                                    f64::from(a) * f64::from(*b.unwrap_or(&0.0))
                                })
                                .sum();
                            let expected = match mode {
                                _ if c >= cols => old,
                                Mode::Set => 0.75 * sum,
                                Mode::Add => old + 0.75 * sum,
                            };
                            let found = f64::from(found[r * stride + c]);
                            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "beyond its slice")]
    fn a_factor_beyond_its_slice_is_refused() {
        let (a, mut c) = ([0.0; 5], [0.0; 4]);
        let view = View::new(&a[..], 2, 3, 3);
        multiply(ViewMut::new(&mut c[..], 2, 2, 2), Mode::Set, 1.0, view, view.transposed());
    }
}
