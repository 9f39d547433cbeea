use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axes2, Axis, HasShape};
use dfdx::tensor::Tape;
use dfdx::tensor_ops::{BroadcastTo, Device, PermuteTo, TryMatMul, TryMul};

use crate::ops::{Matrix, Vector};

/// Computes `y = x·Wᵀ` for a weight matrix `W` of shape `[out, in]`.
pub fn projection<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Matrix<E, D>,
) -> Result<Matrix<E, D, T>, D::Err> {
    x.try_matmul(weight.retaped::<T>().try_permute::<(usize, usize), Axes2<1, 0>>()?)
}

/// Computes `y = x·(W ⊙ m)ᵀ`, where the row `m` holds 1 for the input columns that are used and 0 for those
/// that are not: `W[:, l:]·x[l:]` without copying either of them. No gradient reaches a column of
/// `x` that is not used.
pub fn masked_projection<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Matrix<E, D>,
    used: &Vector<E, D>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let shape = *weight.shape();
    let used = used.clone().try_broadcast_like::<_, Axis<0>>(&shape)?;
    let weight = weight.retaped::<T>().try_mul(used)?;
    x.try_matmul(weight.try_permute::<(usize, usize), Axes2<1, 0>>()?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, matrix, product, transposed, vector};
    use super::*;

    #[test]
    fn projects_with_the_transposed_matrix() {
        let (x, w) = (matrix(3, 5, 1), matrix(4, 5, 2));
        let expected = product(&x.as_vec(), &transposed(&w.as_vec(), 5), 5);
        assert_close(&projection(x, &w).unwrap().as_vec(), &expected);
    }

    #[test]
    fn masked_columns_are_left_out() {
        let (x, w) = (matrix(3, 5, 1), matrix(4, 5, 2));
        let mut used = vector(5, 0);
        used.copy_from(&[0.0, 0.0, 1.0, 1.0, 1.0]);
        let mut masked = w.as_vec();
        for row in masked.chunks_mut(5) {
            row[..2].fill(0.0);
        }
        let expected = product(&x.as_vec(), &transposed(&masked, 5), 5);
        assert_close(&masked_projection(x, &w, &used).unwrap().as_vec(), &expected);
    }

    /// gemm divides rows and columns between threads, but no sum.
    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (x, w) = (matrix(300, 500, 1), matrix(400, 500, 2));
        let results = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| projection(x.clone(), &w).unwrap().as_vec())
        });
        assert_eq!(results[0], results[1]);
        assert_eq!(results[0], results[2]);
    }
}
