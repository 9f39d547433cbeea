use crate::kernels::arch;
use crate::kernels::inputs::Inputs;
use crate::kernels::matrix::Matrix;
use crate::num::{Exponent, RowScales};

/// Computes `y_r = W·x_r` for every input row, in units of `2^exponent`.
///
/// Multiplies the integer sums by the scales of the matrix row and of the input, rounds half up and saturates.
/// Does nothing for a matrix of floats. The integer form of [`Matrix::apply`].
///
/// ```
/// use expe_core::internals::{Exponent, Inputs, Matrix, Weights};
/// use expe_core::internals::integer::project;
/// let weights = Weights::Int8 { scales: &[0.5, 0.25], quants: &[1, 2, 3, 4] };
/// let matrix = Matrix::new(weights, 2, 2).unwrap();
/// let mut y = [0; 2];
/// project(&matrix, Inputs::new(&[], 2).with_quants(&[10, 20], &[0.125]), Exponent(-16), &mut y);
/// assert_eq!(y, [50 << 12, 110 << 11]);
/// ```
#[inline(never)]
pub fn project(
    matrix: &Matrix<'_>,
    inputs: Inputs<'_, i32>,
    exponent: Exponent,
    outputs: &mut [i32],
) {
    let largest = matrix.largest_sum();
    matrix.each_sum(inputs, outputs, |outputs, sums, rows, input| {
        let scales = RowScales::new(input, largest, exponent);
        requantize(&scales, sums, rows, outputs, false, |y, value| *y = value);
    });
}

/// Computes `y_r += W·x_r` for every input row, saturating; see [`project`].
///
/// The integer form of [`Matrix::apply_add`].
#[inline(never)]
pub fn project_add(
    matrix: &Matrix<'_>,
    inputs: Inputs<'_, i32>,
    exponent: Exponent,
    outputs: &mut [i32],
) {
    let largest = matrix.largest_sum();
    matrix.each_sum(inputs, outputs, |outputs, sums, rows, input| {
        let scales = RowScales::new(input, largest, exponent);
        requantize(&scales, sums, rows, outputs, true, |y, value| *y = y.saturating_add(value));
    });
}

/// Multiplies every sum by its scales and stores the result with `put`, which must add to the output if `add`.
#[inline(always)]
fn requantize(
    scales: &RowScales,
    sums: &[i32],
    rows: &[f32],
    outputs: &mut [i32],
    add: bool,
    put: impl Fn(&mut i32, i32),
) {
    let done = match cfg!(expe_mve).then(|| scales.fast_path(rows)).flatten() {
        Some(parameters) => arch::requantize(parameters, sums, rows, outputs, add),
        None => 0,
    };
    for ((y, sum), row) in outputs.iter_mut().zip(sums).zip(rows).skip(done) {
        put(y, scales.apply(*sum, *row));
    }
}
