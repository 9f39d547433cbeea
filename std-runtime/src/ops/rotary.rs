use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axes2, HasShape};
use dfdx::tensor::Tape;
use dfdx::tensor_ops::{BroadcastTo, Device, ReshapeTo, TryAdd, TryMatMul, TryMul};

use super::{Hyper, Matrix};

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

/// Rotate every head of `x`, whose rows are `batch · length` positions of `heads · head_width`:
/// `y = x ⊙ cos + swap(x) ⊙ sin`, the half-split pairing of dimension `i` with `i + head_width/2`.
///
/// The halves are swapped by a product with a permutation matrix, which is exact.
///
/// # Errors
/// The device's.
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
