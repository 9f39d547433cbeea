use super::product::multiply;
use super::terms::Terms;
use super::vector::{exp, largest, sum, sum2, vectorized};
use crate::ops::bridge::host::Buffer;
use crate::ops::view::{Mode, View, ViewMut};
use crate::ops::{Heads, Layout, SavedAttention};
use dfdx::tensor::Cpu;

/// Queries of a block.
const QUERIES: usize = 64;
/// Keys of a block; a multiple of [`QUERIES`], so that every query of a block sees at least one key of each
/// block up to its own.
const KEYS: usize = 256;

/// Where one head's queries, keys, values, and results begin.
struct Corners {
    q: usize,
    k: usize,
    v: usize,
    out: usize,
}

impl Corners {
    fn new(layout: &Layout, sequence: usize, head: usize) -> Self {
        let Heads { length, groups, head_width, .. } = layout.heads;
        let first = sequence * length;
        let kv = head / groups * head_width;
        Self {
            q: first * layout.stride() + head * head_width,
            k: first * layout.stride() + layout.queries() + kv,
            v: first * layout.stride() + layout.values() + kv,
            out: first * layout.queries() + head * head_width,
        }
    }
}

/// One block of queries against one block of keys.
struct Block {
    /// First query.
    n: usize,
    /// First key.
    m: usize,
    /// Keys.
    keys: usize,
}

impl Block {
    /// Lists the blocks of keys that the queries `n..n + queries` see.
    fn row(n: usize, queries: usize) -> impl Iterator<Item = Self> {
        let end = n + queries;
        (0..end).step_by(KEYS).map(move |m| Self { n, m, keys: KEYS.min(end - m) })
    }

    /// Returns how many keys of the block query `i` of the block sees.
    #[inline(always)]
    fn seen(&self, i: usize) -> usize {
        (self.n + i + 1 - self.m).min(self.keys)
    }
}

/// Lists the blocks of queries of a sequence: the first query and their number.
fn query_blocks(length: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..length).step_by(QUERIES).map(move |n| (n, QUERIES.min(length - n)))
}

/// See [`Kernels::attention_forward`](crate::ops::Kernels::attention_forward).
///
/// Scores exist for a block of queries and keys at a time. The softmax over blocks is that of Milakov and
/// Gimelshein (2018), the blocks those of FlashAttention (Dao et al., 2022).
pub fn forward(qkv: &[f32], layout: &Layout, terms: &Terms, out: &mut [f32], norms: &mut [f32]) {
    let Heads { batch, length, head_width: width, .. } = layout.heads;
    let (stride, count, scale) = (layout.stride(), layout.heads.heads(), layout.scale());
    let out_stride = layout.queries();
    let mut scores = Buffer::new(QUERIES * KEYS);
    for (sequence, head) in (0..batch).flat_map(|b| (0..count).map(move |head| (b, head))) {
        let at = Corners::new(layout, sequence, head);
        for (n, queries) in query_blocks(length) {
            let q = &qkv[at.q + n * stride..];
            let out = &mut out[at.out + n * out_stride..];
            let (mut most, mut sums) = ([f32::NEG_INFINITY; QUERIES], [0.0_f32; QUERIES]);
            for block in Block::row(n, queries) {
                let keys = block.keys;
                multiply(
                    ViewMut::new(&mut scores[..], queries, keys, keys),
                    Mode::Set,
                    scale,
                    View::new(q, queries, width, stride),
                    View::new(&qkv[at.k + block.m * stride..], keys, width, stride).transposed(),
                );
                vectorized(
                    #[inline(always)]
                    || {
                        for (i, row) in scores.chunks_exact_mut(keys).take(queries).enumerate() {
                            let q = &q[i * stride..][..width];
                            let (seen, future) = row.split_at_mut(block.seen(i));
                            future.fill(0.0);
                            for digit in 0..terms.keys.len() {
                                let factor = terms.factor(digit, &layout.heads, head, q, scale);
                                terms.add(digit, factor, n + i, block.m, seen);
                            }
                            let top = largest(seen).max(most[i]);
                            seen.iter_mut().for_each(|s| *s = exp(*s - top));
                            let before = exp(most[i] - top);
                            most[i] = top;
                            sums[i] =
                                sum(seen, |s| s) + if block.m > 0 { sums[i] * before } else { 0.0 };
                            if block.m > 0 {
                                let out = &mut out[i * out_stride..][..width];
                                out.iter_mut().for_each(|o| *o *= before);
                            }
                        }
                    },
                );
                multiply(
                    ViewMut::new(out, queries, width, out_stride),
                    if block.m > 0 { Mode::Add } else { Mode::Set },
                    1.0,
                    View::new(&scores[..], queries, keys, keys),
                    View::new(&qkv[at.v + block.m * stride..], keys, width, stride),
                );
            }
            let norms = &mut norms[(sequence * length + n) * count + head..];
            vectorized(
                #[inline(always)]
                || {
                    for i in 0..queries {
                        let inverse = 1.0 / sums[i];
                        let out = &mut out[i * out_stride..][..width];
                        out.iter_mut().for_each(|o| *o *= inverse);
                        norms[i * count] = most[i] + sums[i].ln();
                    }
                },
            );
        }
    }
}

/// Computes the gradient `dqkv` of queries, keys, and values, and adds to `dfolded`, that of the folded key
/// columns. Scores are computed again, block by block.
pub fn backward(
    saved: &SavedAttention<'_, Cpu>,
    layout: &Layout,
    terms: &Terms,
    dqkv: &mut [f32],
    dfolded: &mut [Vec<f32>],
) {
    let Heads { batch, length, groups, head_width: width, .. } = layout.heads;
    let (stride, count, scale) = (layout.stride(), layout.heads.heads(), layout.scale());
    let out_stride = layout.queries();
    let SavedAttention { qkv, out, norms, dout } = *saved;
    dqkv.fill(0.0);
    let (mut scores, mut gradients) = (Buffer::new(QUERIES * KEYS), Buffer::new(QUERIES * KEYS));
    for (sequence, head) in (0..batch).flat_map(|b| (0..count).map(move |head| (b, head))) {
        let at = Corners::new(layout, sequence, head);
        let column = head / groups * width;
        for (n, queries) in query_blocks(length) {
            let q = &qkv[at.q + n * stride..];
            let (out, dout) = (&out[at.out + n * out_stride..], &dout[at.out + n * out_stride..]);
            let norms = &norms[(sequence * length + n) * count + head..];
            for block in Block::row(n, queries) {
                let keys = block.keys;
                let k = View::new(&qkv[at.k + block.m * stride..], keys, width, stride);
                let v = View::new(&qkv[at.v + block.m * stride..], keys, width, stride);
                let (qs, douts) = (
                    View::new(q, queries, width, stride),
                    View::new(dout, queries, width, out_stride),
                );
                let size = queries * keys;
                let view = ViewMut::new(&mut scores[..], queries, keys, keys);
                multiply(view, Mode::Set, scale, qs, k.transposed());
                let view = ViewMut::new(&mut gradients[..], queries, keys, keys);
                multiply(view, Mode::Set, 1.0, douts, v.transposed());
                vectorized(
                    #[inline(always)]
                    || {
                        let rows = scores[..size].chunks_exact_mut(keys);
                        for (i, (row, gradient)) in
                            rows.zip(gradients[..size].chunks_exact_mut(keys)).enumerate()
                        {
                            let q = &q[i * stride..][..width];
                            let (seen, future) = row.split_at_mut(block.seen(i));
                            let (gradient, none) = gradient.split_at_mut(seen.len());
                            future.fill(0.0);
                            none.fill(0.0);
                            for digit in 0..terms.keys.len() {
                                let factor = terms.factor(digit, &layout.heads, head, q, scale);
                                terms.add(digit, factor, n + i, block.m, seen);
                            }
                            let (out, dout) =
                                (&out[i * out_stride..][..width], &dout[i * out_stride..][..width]);
                            let mean = sum2(out, dout, |o, d| o * d);
                            let norm = norms[i * count];
                            for (s, d) in seen.iter_mut().zip(&mut *gradient) {
                                let p = exp(*s - norm);
                                *s = p;
                                *d = p * (*d - mean) * scale;
                            }
                            for (digit, dfolded) in dfolded.iter_mut().enumerate() {
                                let gradient =
                                    terms.factor_gradient(digit, n + i, block.m, gradient);
                                let dq = &mut dqkv[at.q + (n + i) * stride..][..width];
                                let w = terms.folded_column(digit, &layout.heads, head);
                                let dw = &mut dfolded[column..][..width];
                                terms.backward(digit, gradient, w, q, dq, dw);
                            }
                        }
                    },
                );
                let (p, d) = (
                    View::new(&scores[..], queries, keys, keys),
                    View::new(&gradients[..], queries, keys, keys),
                );
                let dv = &mut dqkv[at.v + block.m * stride..];
                multiply(
                    ViewMut::new(dv, keys, width, stride),
                    Mode::Add,
                    1.0,
                    p.transposed(),
                    douts,
                );
                let dk = &mut dqkv[at.k + block.m * stride..];
                multiply(ViewMut::new(dk, keys, width, stride), Mode::Add, 1.0, d.transposed(), qs);
                let dq = &mut dqkv[at.q + n * stride..];
                multiply(ViewMut::new(dq, queries, width, stride), Mode::Add, 1.0, d, k);
            }
        }
    }
}
