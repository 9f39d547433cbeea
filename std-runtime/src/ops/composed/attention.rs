use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axes4, Axes5, Axis};
use dfdx::tensor::{CopySlice, Tape, Tensor, ZerosTensor};
use dfdx::tensor_ops::{BroadcastTo, Device, PermuteTo, ReshapeTo, TryAdd, TryMatMul, TryMul};

use super::{Relative, relative_scores};
use crate::ops::{Cube, Heads, Hyper, Matrix, scalar, tensor};

/// Inside, queries and scores are `(batch, kv_heads, groups·length, ·)`: query head `h` is row block
/// `h mod groups` of key-value head `h / groups`, so that grouped-query attention needs no copy of the keys.
impl Heads {
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

/// What is added to the scaled scores: a large negative number above the diagonal, and the bias of the encoding
/// on and below it.
#[derive(Debug, Clone)]
pub enum Mask<E: Dtype, D: Device<E>> {
    /// The same for all heads: `(length, length)`.
    Shared(Matrix<E, D>),
    /// One per query head: `(heads, length, length)`.
    PerHead(Cube<E, D>),
}

/// What is added to the scores of future keys; its exponential is 0 relative to that of any score of a query
/// with itself.
const FUTURE: f64 = -1e30;

impl<E: Dtype, D: Device<E> + ZerosTensor<E> + CopySlice<E>> Mask<E, D> {
    /// Creates the causal mask of `length` positions. With ALiBi's `slopes`, one for each head, the score of
    /// query position `n` and key position `m` is lowered by the slope times `n − m`.
    pub fn new(device: &D, length: usize, slopes: &[f32]) -> Result<Self, D::Err> {
        let rows = |slope: f32| {
            (0..length * length).map(move |at| {
                let (n, m) = (at / length, at % length);
                let bias = -slope * n.abs_diff(m) as f32;
                scalar(if m > n { FUTURE } else { f64::from(bias) })
            })
        };
        if slopes.is_empty() {
            let mask: Vec<E> = rows(0.0).collect();
            tensor(device, (length, length), &mask).map(Self::Shared)
        } else {
            let masks: Vec<E> = slopes.iter().copied().flat_map(rows).collect();
            tensor(device, (slopes.len(), length, length), &masks).map(Self::PerHead)
        }
    }
}

/// Computes causal attention of `queries` over `keys` and `values`:
/// `softmax(q·kᵀ/√head_width + position terms + mask)·v`.
///
/// The position terms are those of [`relative_scores`], if any.
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

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, matrix};
    use super::*;

    /// Attention by its definition, one query at a time.
    fn reference(q: &[f64], k: &[f64], v: &[f64], bias: &[f64], heads: &Heads) -> Vec<f64> {
        let Heads { batch, length, kv_heads, groups, head_width: width } = *heads;
        let (q_width, k_width) = (heads.heads() * width, kv_heads * width);
        let mut out = vec![0.0; batch * length * q_width];
        for b in 0..batch {
            for head in 0..heads.heads() {
                let kv = head / groups;
                for n in 0..length {
                    let query = (b * length + n) * q_width + head * width;
                    let key = |m: usize| (b * length + m) * k_width + kv * width;
                    let score = |m: usize| {
                        let dot: f64 = (0..width).map(|i| q[query + i] * k[key(m) + i]).sum();
                        dot / (width as f64).sqrt() + bias[(head * length + n) * length + m]
                    };
                    let weights: Vec<f64> = (0..=n).map(|m| score(m).exp()).collect();
                    let sum: f64 = weights.iter().sum();
                    for (m, weight) in weights.iter().enumerate() {
                        for i in 0..width {
                            out[query + i] += weight / sum * v[key(m) + i];
                        }
                    }
                }
            }
        }
        out
    }

    fn check(groups: usize, per_head: bool) {
        let heads = Heads { batch: 2, length: 5, kv_heads: 2, groups, head_width: 3 };
        let rows = heads.batch * heads.length;
        let q = matrix(rows, heads.heads() * 3, 1);
        let (k, v) = (matrix(rows, 6, 2), matrix(rows, 6, 3));
        let mut bias = matrix(heads.heads() * 5, 5, 4).as_vec();
        if !per_head {
            bias.fill(0.0);
        }
        let mut masked = bias.clone();
        for (i, bias) in masked.iter_mut().enumerate() {
            if i % 5 > i / 5 % 5 {
                *bias = -1e30;
            }
        }
        let mask = if per_head {
            let mut mask = matrix(heads.heads() * 5, 5, 0);
            mask.copy_from(&masked);
            Mask::PerHead(mask.try_reshape_like(&(heads.heads(), 5, 5)).unwrap())
        } else {
            let mut mask = matrix(5, 5, 0);
            mask.copy_from(&masked[..25]);
            Mask::Shared(mask)
        };
        let expected = reference(&q.as_vec(), &k.as_vec(), &v.as_vec(), &bias, &heads);
        let found = attention(q, k, v, None, &mask, &heads).unwrap();
        assert_close(&found.as_vec(), &expected);
    }

    #[test]
    fn follows_its_definition() {
        for groups in [1, 3] {
            check(groups, false);
            check(groups, true);
        }
    }
}
