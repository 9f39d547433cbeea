use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axis, HasShape};
use dfdx::tensor::{CopySlice, Merge, PutTape, Tape, Tensor, ZerosTensor};
use dfdx::tensor_ops::{BroadcastTo, Device, GatherTo, ReshapeTo, TryAdd, TryMul};

use crate::ops::{Cube, Matrix, Placed, tensor};

/// Looks up the rows of `table` for `tokens`, in sequences of `placed.length`, and adds positions.
pub fn embed<E: Dtype, D, T: Tape<E, D>>(
    table: &Matrix<E, D>,
    tokens: &Tensor<(usize,), usize, D>,
    placed: &Placed<'_, E, D>,
    tape: T,
) -> Result<Matrix<E, D, T>, D::Err>
where
    D: Device<E> + ZerosTensor<usize> + CopySlice<usize>,
{
    let mut x = lookup(table.clone().put_tape(tape), tokens.clone())?;
    if let Some((scale, rows)) = placed.fixed {
        x = add_rows(x.try_mul(*scale)?, rows.clone())?;
    }
    if let Some(learned) = placed.learned {
        let first: Vec<usize> = (0..placed.length).collect();
        let first = tensor(table.device(), (placed.length,), &first)?;
        x = add_rows(x, lookup(learned.retaped::<T>(), first)?)?;
    }
    Ok(x)
}

/// Looks up the rows of `table` at `indices`.
pub fn lookup<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    table: Matrix<E, D, T>,
    indices: Tensor<(usize,), usize, D>,
) -> Result<Matrix<E, D, T>, D::Err> {
    table.try_gather::<(usize, usize), (usize,)>(indices)
}

/// Adds the same `rows`, one for each position, to every sequence of the batch: `x` has `batch · length` rows,
/// `rows` has `length`.
pub fn add_rows<E: Dtype, D: Device<E>, T: Tape<E, D> + Merge<R>, R: Tape<E, D>>(
    x: Matrix<E, D, T>,
    rows: Matrix<E, D, R>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let shape @ (count, width) = *x.shape();
    let length = rows.shape().0;
    let batched = (count / length.max(1), length, width);
    let x: Cube<E, D, T> = x.try_reshape_like(&batched)?;
    x.try_add(rows.try_broadcast_like::<_, Axis<0>>(&batched)?)?.try_reshape_like(&shape)
}

#[cfg(test)]
mod tests {
    use super::super::testing::matrix;
    use super::*;
    use dfdx::tensor::Cpu;

    #[test]
    fn rows_are_looked_up_and_added() {
        let (table, rows) = (matrix(6, 3, 1), matrix(2, 3, 2));
        let tokens = [5_usize, 0, 0, 3];
        let indices = tensor(&Cpu::default(), (4,), &tokens).unwrap();
        let found = add_rows(lookup(table.clone(), indices).unwrap(), rows.clone()).unwrap();
        let (table, rows) = (table.as_vec(), rows.as_vec());
        let expected: Vec<f64> = tokens
            .iter()
            .enumerate()
            .flat_map(|(n, token)| (0..3).map(move |i| (token * 3 + i, n % 2 * 3 + i)))
            .map(|(embedding, position)| table[embedding] + rows[position])
            .collect();
        assert_eq!(found.as_vec(), expected);
    }
}
