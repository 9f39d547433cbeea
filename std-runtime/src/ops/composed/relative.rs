use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axes2, Axes3, Axes4, HasShape};
use dfdx::tensor::{CopySlice, Tape, ZerosTensor};
use dfdx::tensor_ops::{Device, PermuteTo, ReshapeTo, TryAdd, TryMatMul};

use crate::ops::{Cube, Heads, Hyper, Matrix, tensor};

/// Computes the folded weight columns of each digit: column `j` of the result is `Σ_i W[:, i]` over the
/// input columns `i` that hold digit `j`. `runs` is `(digits, in)`, 1 where a column holds the
/// digit and 0 elsewhere; the result is `(out, digits)`.
pub fn digit_columns<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    weight: &Matrix<E, D>,
    runs: &Matrix<E, D>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let runs = runs.clone().try_permute::<(usize, usize), Axes2<1, 0>>()?;
    weight.retaped::<T>().try_matmul(runs)
}

/// Computes `Σ_j a_j(n)·u_j` for every position: `values` is `(length, digits)` and holds the `a_j(n)`,
/// `columns` is `(out, digits)` and holds the `u_j`; the result is `(length, out)`.
pub fn digit_terms<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    values: &Matrix<E, D>,
    columns: Matrix<E, D, T>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let columns = columns.try_permute::<(usize, usize), Axes2<1, 0>>()?;
    values.retaped::<T>().try_matmul(columns)
}

/// Computes `key_j(m) − key_j(n)` at `[n, j, m]`, 0 for `m > n`: `(length, digits, length)`. `keys` is
/// `(length, digits)`.
pub fn differences<E: Dtype, D: Device<E> + ZerosTensor<E> + CopySlice<E>>(
    keys: &Matrix<E, D>,
) -> Result<Cube<E, D>, D::Err> {
    let (length, digits) = *keys.shape();
    let values = keys.as_vec();
    let mut found = vec![E::default(); length * digits * length];
    for (row, found) in found.chunks_exact_mut(length.max(1)).enumerate() {
        let own = values[row];
        let list = values.iter().skip(row % digits).step_by(digits);
        for (found, key) in found.iter_mut().zip(list).take(row / digits + 1) {
            *found = *key - own;
        }
    }
    tensor(keys.device(), (length, digits, length), &found)
}

/// The position terms of folded ExPE and ExQPE.
#[derive(Debug)]
pub struct Relative<'a, E: Dtype, D: Device<E>, T> {
    /// The folded key columns `w_j`: `(kv_heads·head_width, digits)`.
    pub columns: Matrix<E, D, T>,
    /// `key_j(m) − key_j(n)` at `[n, j, m]`: `(length, digits, length)`.
    pub differences: &'a Cube<E, D>,
}

/// Adds the position terms of folded ExPE and ExQPE to the scores:
/// `score(n, m) += Σ_j (key_j(m) − key_j(n))·(q_n·w_j)`.
///
/// `scores` and `queries` are laid out as [`Heads`] says.
pub fn relative_scores<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    scores: Hyper<E, D, T>,
    queries: Hyper<E, D, T>,
    relative: Relative<'_, E, D, T>,
    heads: &Heads,
) -> Result<Hyper<E, D, T>, D::Err> {
    let shape = *scores.shape();
    let Relative { columns, differences } = relative;
    let digits = columns.shape().1;
    let Heads { batch, length, kv_heads, head_width, .. } = *heads;
    let sequences = batch * heads.heads();
    let rows = shape.2;
    let columns: Cube<E, D, T> = columns.try_reshape_like(&(kv_heads, head_width, digits))?;
    // One product per key head, over the queries of all sequences. Broadcasting the columns to the sequences
    // does not work: on a GPU dfdx refuses a product with a stride of zero, and copying them has a wrong
    // gradient there.
    let queries: Cube<E, D, T> = queries
        .try_permute::<_, Axes4<1, 0, 2, 3>>()?
        .try_reshape_like(&(kv_heads, batch * rows, head_width))?;
    let terms: Hyper<E, D, T> =
        queries.try_matmul(columns)?.try_reshape_like(&(kv_heads, batch, rows, digits))?;
    // (sequences, length, digits) → (length, sequences, digits): one small product per position n.
    let terms: Cube<E, D, T> = terms
        .try_permute::<_, Axes4<1, 0, 2, 3>>()?
        .try_reshape_like(&(sequences, length, digits))?;
    let terms = terms.try_permute::<_, Axes3<1, 0, 2>>()?.try_contiguous()?;
    let terms: Cube<E, D, T> = terms.try_matmul(differences.clone())?;
    let scores: Cube<E, D, T> = scores.try_reshape_like(&(sequences, length, length))?;
    scores.try_add(terms.try_permute::<_, Axes3<1, 0, 2>>()?)?.try_reshape_like(&shape)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, matrix, product, transposed};
    use super::*;

    const HEADS: Heads = Heads { batch: 2, length: 3, kv_heads: 2, groups: 2, head_width: 4 };

    #[test]
    fn columns_are_summed_by_digit() {
        let weight = matrix(5, 6, 1);
        let mut runs = matrix(2, 6, 0);
        runs.copy_from(&[1., 1., 0., 0., 0., 0., 0., 0., 1., 1., 0., 0.]);
        let expected: Vec<f64> =
            weight.as_vec().chunks(6).flat_map(|row| [row[0] + row[1], row[2] + row[3]]).collect();
        let columns: Matrix<f64, _> = digit_columns(&weight, &runs).unwrap();
        assert_close(&columns.as_vec(), &expected);
        let values = matrix(3, 2, 2);
        let expected = product(&values.as_vec(), &transposed(&expected, 2), 2);
        assert_close(&digit_terms(&values, columns).unwrap().as_vec(), &expected);
    }

    #[test]
    fn scores_get_the_sum_over_digits() {
        let Heads { batch, length, kv_heads, groups, head_width } = HEADS;
        let digits = 2;
        let rows = batch * kv_heads * groups * length;
        let queries = matrix(rows, head_width, 1);
        let scores = matrix(rows, length, 2);
        let columns = matrix(kv_heads * head_width, digits, 3);
        let differences = matrix(length * digits, length, 4);
        let mut expected = scores.as_vec();
        let (q, w, r) = (queries.as_vec(), columns.as_vec(), differences.as_vec());
        for row in 0..rows {
            let (kv, n) = (row / (groups * length) % kv_heads, row % length);
            for m in 0..length {
                for j in 0..digits {
                    let projected: f64 = (0..head_width)
                        .map(|i| q[row * head_width + i] * w[(kv * head_width + i) * digits + j])
                        .sum();
                    expected[row * length + m] += projected * r[(n * digits + j) * length + m];
                }
            }
        }
        let shape = |width| (batch, kv_heads, groups * length, width);
        let found = relative_scores(
            scores.try_reshape_like(&shape(length)).unwrap(),
            queries.try_reshape_like(&shape(head_width)).unwrap(),
            Relative {
                columns,
                differences: &differences.try_reshape_like(&(length, digits, length)).unwrap(),
            },
            &HEADS,
        );
        assert_close(&found.unwrap().as_vec(), &expected);
    }
}
