use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axes4, Axes5, Axis};
use dfdx::tensor::{Tape, Tensor};
use dfdx::tensor_ops::{BroadcastTo, Device, PermuteTo, ReshapeTo, TryAdd, TryMatMul, TryMul};

use super::{Cube, Hyper, Matrix, Relative, relative_scores};
use crate::device::scalar;

/// How the rows of an attention layer fall into sequences and heads.
///
/// Inputs are `(batch·length, heads·head_width)`. Inside, queries and scores are
/// `(batch, kv_heads, groups·length, ·)`: query head `h` is row block `h mod groups` of key-value
/// head `h / groups`, so that grouped-query attention needs no copy of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Sequences.
    pub batch: usize,
    /// Positions of a sequence.
    pub length: usize,
    /// Key-value heads.
    pub kv_heads: usize,
    /// Query heads per key-value head.
    pub groups: usize,
    /// Width of a head.
    pub head_width: usize,
}

impl Heads {
    /// Query heads: `kv_heads · groups`.
    pub const fn heads(&self) -> usize {
        self.kv_heads * self.groups
    }

    /// `(batch·length, heads·head_width)` → `(batch, kv_heads, groups·length, head_width)`.
    fn split_queries<E: Dtype, D: Device<E>, T: Tape<E, D>>(
        &self,
        x: Matrix<E, D, T>,
    ) -> Result<Hyper<E, D, T>, D::Err> {
        if self.groups == 1 {
            return self.split_keys(x);
        }
        let x: Tensor<(usize, usize, usize, usize, usize), E, D, T> = x.try_reshape_like(&(
            self.batch,
            self.length,
            self.kv_heads,
            self.groups,
            self.head_width,
        ))?;
        let rows = (self.batch, self.kv_heads, self.groups * self.length, self.head_width);
        x.try_permute::<_, Axes5<0, 2, 3, 1, 4>>()?.try_reshape_like(&rows)
    }

    /// `(batch·length, kv_heads·head_width)` → `(batch, kv_heads, length, head_width)`, a view.
    fn split_keys<E: Dtype, D: Device<E>, T: Tape<E, D>>(
        &self,
        x: Matrix<E, D, T>,
    ) -> Result<Hyper<E, D, T>, D::Err> {
        let x: Hyper<E, D, T> =
            x.try_reshape_like(&(self.batch, self.length, self.kv_heads, self.head_width))?;
        x.try_permute::<_, Axes4<0, 2, 1, 3>>()
    }

    /// The inverse of [`split_queries`](Self::split_queries).
    fn join<E: Dtype, D: Device<E>, T: Tape<E, D>>(
        &self,
        x: Hyper<E, D, T>,
    ) -> Result<Matrix<E, D, T>, D::Err> {
        let x: Tensor<(usize, usize, usize, usize, usize), E, D, T> = x.try_reshape_like(&(
            self.batch,
            self.kv_heads,
            self.groups,
            self.length,
            self.head_width,
        ))?;
        x.try_permute::<_, Axes5<0, 3, 1, 2, 4>>()?
            .try_reshape_like(&(self.batch * self.length, self.heads() * self.head_width))
    }
}

/// What is added to the scaled scores: `−∞` (as the most negative finite number) above the
/// diagonal and the bias of the encoding on and below it.
#[derive(Debug, Clone)]
pub enum Mask<E: Dtype, D: Device<E>> {
    /// The same for all heads: `(length, length)`.
    Shared(Matrix<E, D>),
    /// One per query head: `(heads, length, length)`.
    PerHead(Cube<E, D>),
}

/// Causal attention of `queries` over `keys` and `values`:
/// `softmax(q·kᵀ/√head_width + position terms + mask)·v`.
///
/// The position terms are those of [`relative_scores`], if any.
///
/// # Errors
/// The device's.
pub fn attention<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    queries: Matrix<E, D, T>,
    keys: Matrix<E, D, T>,
    values: Matrix<E, D, T>,
    relative: Option<Relative<'_, E, D, T>>,
    mask: &Mask<E, D>,
    heads: &Heads,
) -> Result<Matrix<E, D, T>, D::Err> {
    // Scaling q scales the position terms along with q·k.
    let queries = queries.try_mul(scalar::<E>((heads.head_width as f64).sqrt().recip()))?;
    let queries = heads.split_queries(queries)?;
    let keys = heads.split_keys(keys)?.try_permute::<_, Axes4<0, 1, 3, 2>>()?;
    let values = heads.split_keys(values)?;
    let scores = match relative {
        Some(relative) => {
            let scores = queries.retaped::<T>().try_matmul(keys)?;
            relative_scores(scores, queries, relative, heads)?
        }
        None => queries.try_matmul(keys)?,
    };
    let weights = masked(scores, mask, heads)?.try_softmax::<Axis<3>>()?;
    heads.join(weights.try_matmul(values)?)
}

fn masked<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    scores: Hyper<E, D, T>,
    mask: &Mask<E, D>,
    heads: &Heads,
) -> Result<Hyper<E, D, T>, D::Err> {
    let Heads { batch, length, kv_heads, groups, .. } = *heads;
    let shape = (batch, kv_heads, groups * length, length);
    match mask {
        Mask::Shared(mask) => {
            let rows = (batch * heads.heads(), length, length);
            let scores: Cube<E, D, T> = scores.try_reshape_like(&rows)?;
            let mask = mask.clone().try_broadcast_like::<_, Axis<0>>(&rows)?;
            scores.try_add(mask)?.try_reshape_like(&shape)
        }
        Mask::PerHead(mask) => {
            let rows = (batch, heads.heads(), length, length);
            let scores: Hyper<E, D, T> = scores.try_reshape_like(&rows)?;
            let mask = mask.clone().try_broadcast_like::<_, Axis<0>>(&rows)?;
            scores.try_add(mask)?.try_reshape_like(&shape)
        }
    }
}
