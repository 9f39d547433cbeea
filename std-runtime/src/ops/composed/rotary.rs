use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axes2, HasShape};
use dfdx::tensor::Tape;
use dfdx::tensor_ops::{BroadcastTo, Device, ReshapeTo, TryAdd, TryMatMul, TryMul};

use crate::ops::{Hyper, Matrix};

/// The rotations of positions `0..length` as tensors.
#[derive(Debug, Clone)]
pub struct Rotary<E: Dtype, D: Device<E>> {
    /// `cos φ_i(n)` for both elements of pair `i`: `(length, head_width)`.
    pub cos: Matrix<E, D>,
    /// `−sin φ_i(n)` in the first half of a head, `+sin φ_i(n)` in the second.
    pub sin: Matrix<E, D>,
    /// The permutation that swaps the halves of a head: `(head_width, head_width)`.
    pub swap: Matrix<E, D>,
}

/// Rotates every head of `x`, whose rows are `batch · length` positions of `heads · head_width`:
/// `y = x ⊙ cos + swap(x) ⊙ sin`, the half-split pairing of dimension `i` with `i + head_width/2`.
///
/// The halves are swapped by a product with a permutation matrix, which is exact.
pub fn rotate<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    rotary: &Rotary<E, D>,
) -> Result<Matrix<E, D, T>, D::Err> {
    let shape @ (count, width) = *x.shape();
    let (length, head) = *rotary.cos.shape();
    let heads = width / head.max(1);
    let batched = (count / length.max(1), length, heads, head);
    let rows: Matrix<E, D, T> = x.try_reshape_like(&(count * heads, head))?;
    let swapped = rows.retaped::<T>().try_matmul(rotary.swap.clone())?;
    let swapped: Hyper<E, D, T> = swapped.try_reshape_like(&batched)?;
    let rows: Hyper<E, D, T> = rows.try_reshape_like(&batched)?;
    let cos = rotary.cos.clone().try_broadcast_like::<_, Axes2<0, 2>>(&batched)?;
    let sin = rotary.sin.clone().try_broadcast_like::<_, Axes2<0, 2>>(&batched)?;
    rows.try_mul(cos)?.try_add(swapped.try_mul(sin)?)?.try_reshape_like(&shape)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, matrix};
    use super::*;

    #[test]
    fn rotates_pairs_that_are_half_a_head_apart() {
        let (batch, length, heads, head) = (2, 3, 2, 4);
        let x = matrix(batch * length, heads * head, 1);
        let angle = |n: usize, pair: usize| (n + 1) as f64 * [0.7, -0.1][pair];
        let table = |f: fn(usize, f64) -> f64| {
            let mut table = matrix(length, head, 0);
            let values: Vec<f64> =
                (0..length * head).map(|i| f(i % head, angle(i / head, i % head % 2))).collect();
            table.copy_from(&values);
            table
        };
        let mut swap = matrix(head, head, 0);
        let ones: Vec<f64> =
            (0..16).map(|i| f64::from(u8::from((i / 4 + 2) % 4 == i % 4))).collect();
        swap.copy_from(&ones);
        let rotary = Rotary {
            cos: table(|_, angle| angle.cos()),
            sin: table(|i, angle| if i < 2 { -angle.sin() } else { angle.sin() }),
            swap,
        };
        let mut expected = x.as_vec();
        for (row, values) in expected.chunks_mut(heads * head).enumerate() {
            for values in values.chunks_mut(head) {
                for pair in 0..2 {
                    let (sin, cos) = angle(row % length, pair).sin_cos();
                    let (a, b) = (values[pair], values[pair + 2]);
                    values[pair] = a * cos - b * sin;
                    values[pair + 2] = b * cos + a * sin;
                }
            }
        }
        assert_close(&rotate(x, &rotary).unwrap().as_vec(), &expected);
    }
}
