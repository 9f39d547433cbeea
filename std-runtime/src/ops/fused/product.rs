//! Matrix products on slices, through the `gemm` crate on the calling thread.
#![allow(unsafe_code)]

use gemm::Parallelism;

use crate::ops::profile::product;

/// A matrix inside a slice, read with any strides.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// `rows` rows of `columns` elements that begin `stride` apart.
    pub fn new(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        Self { data, rows, columns, row_stride: stride, column_stride: 1 }
    }

    /// The transpose.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// A row-major matrix inside a slice, to be written to.
#[derive(Debug)]
pub struct ViewMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> ViewMut<'a> {
    /// `rows` rows of `columns` elements that begin `stride` apart.
    pub fn new(data: &'a mut [f32], rows: usize, columns: usize, stride: usize) -> Self {
        Self { data, rows, columns, stride }
    }
}

/// What happens to what the result's place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is overwritten.
    Set,
    /// The product is added to it.
    Add,
}

/// `dst = factor·lhs·rhs`, or `dst += factor·lhs·rhs`.
///
/// # Panics
/// If the sizes do not fit together or a matrix does not fit into its slice.
pub fn multiply(dst: ViewMut<'_>, mode: Mode, factor: f32, lhs: View<'_>, rhs: View<'_>) {
    let (rows, columns, inner) = (dst.rows, dst.columns, lhs.columns);
    assert_eq!((lhs.rows, rhs.rows, rhs.columns), (rows, inner, columns), "sizes of a product");
    if rows == 0 || columns == 0 || inner == 0 {
        // An empty sum is zero.
        if mode == Mode::Set && columns > 0 {
            let rows = dst.data.chunks_mut(dst.stride).take(rows);
            rows.for_each(|row| row[..columns].fill(0.0));
        }
        return;
    }
    let last = |rows: usize, columns: usize, row_stride: usize, column_stride: usize| {
        rows.saturating_sub(1) * row_stride + columns.saturating_sub(1) * column_stride
    };
    let inside = |view: &View<'_>| {
        last(view.rows, view.columns, view.row_stride, view.column_stride) < view.data.len()
    };
    assert!(columns <= dst.stride || rows < 2, "rows of a result overlap");
    assert!(last(rows, columns, dst.stride, 1) < dst.data.len(), "result beyond its slice");
    assert!(inside(&lhs) && inside(&rhs), "factor beyond its slice");
    // SAFETY: the last element of each matrix, and with it every one, lies inside its slice, as was
    // just checked; rows of the result do not overlap; the result is borrowed exclusively, so it
    // overlaps neither factor. Strides are those of slices, which fit an `isize`.
    product(rows, columns, inner, || unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            dst.data.as_mut_ptr(),
            1,
            dst.stride as isize,
            mode == Mode::Add,
            lhs.data.as_ptr(),
            lhs.column_stride as isize,
            lhs.row_stride as isize,
            rhs.data.as_ptr(),
            rhs.column_stride as isize,
            rhs.row_stride as isize,
            1.0,
            factor,
            false,
            false,
            false,
            Parallelism::None,
        );
    });
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
        for (seed, (rows, columns, inner)) in
            [(1, 1, 1), (3, 5, 7), (17, 33, 70), (64, 16, 9), (4, 3, 0)].into_iter().enumerate()
        {
            for (left, right) in [(false, false), (true, false), (false, true), (true, true)] {
                for mode in [Mode::Set, Mode::Add] {
                    let (stride, factor) = (columns + 3, 0.75);
                    let a = normal(rows * inner, seed as u64);
                    let b = normal(inner * columns, seed as u64 + 9);
                    let before = normal(rows * stride, seed as u64 + 18);
                    let mut found = before.clone();
                    let lhs = match left {
                        false => View::new(&a, rows, inner, inner),
                        true => View::new(&a, inner, rows, rows).transposed(),
                    };
                    let rhs = match right {
                        false => View::new(&b, inner, columns, columns),
                        true => View::new(&b, columns, inner, inner).transposed(),
                    };
                    multiply(
                        ViewMut::new(&mut found, rows, columns, stride),
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
                                    let b =
                                        b.get(if right { c * inner + i } else { i * columns + c });
                                    f64::from(a) * f64::from(*b.unwrap_or(&0.0))
                                })
                                .sum();
                            let expected = match mode {
                                _ if c >= columns => old,
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
    fn what_does_not_fit_is_refused() {
        let (a, mut c) = ([0.0; 5], [0.0; 4]);
        let view = View::new(&a, 2, 3, 3);
        multiply(ViewMut::new(&mut c, 2, 2, 2), Mode::Set, 1.0, view, view.transposed());
    }
}
