use super::terms::Terms;
use crate::ops::Heads;
use crate::ops::fused::buffer::Buffer;
use crate::ops::fused::product::{Mode, View, ViewMut, multiply};
use crate::ops::fused::vector::{exp, largest, sum, sum2, vectorised};

/// Queries that are worked on at a time.
const QUERIES: usize = 64;
/// Keys that are worked on at a time; a multiple of [`QUERIES`], so that every query of a block sees at
/// least one key of each block up to its own.
const KEYS: usize = 256;

/// Queries, keys and values side by side in rows, one row a position.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Sequences and heads.
    pub heads: Heads,
    /// Width of a row.
    pub stride: usize,
}

/// The corner of one head's queries, keys, values and results.
struct Corners {
    q: usize,
    k: usize,
    v: usize,
    out: usize,
}

impl Layout {
    /// The layout of rows with all queries, then all keys, then all values.
    pub fn new(heads: &Heads) -> Self {
        let stride = (heads.heads() + 2 * heads.kv_heads) * heads.head_width;
        Self { heads: *heads, stride }
    }

    /// Where keys begin in a row.
    pub fn keys(&self) -> usize {
        self.heads.heads() * self.heads.head_width
    }

    /// Where values begin in a row.
    pub fn values(&self) -> usize {
        self.keys() + self.heads.kv_heads * self.heads.head_width
    }

    fn corners(&self, sequence: usize, head: usize) -> Corners {
        let Heads { length, groups, head_width, .. } = self.heads;
        let first = sequence * length;
        let kv = head / groups * head_width;
        Corners {
            q: first * self.stride + head * head_width,
            k: first * self.stride + self.keys() + kv,
            v: first * self.stride + self.values() + kv,
            out: first * self.keys() + head * head_width,
        }
    }

    fn scale(&self) -> f32 {
        (1.0 / (self.heads.head_width as f64).sqrt()) as f32
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
    /// The blocks of keys that the queries `n..n + queries` see.
    fn row(n: usize, queries: usize) -> impl Iterator<Item = Self> {
        let end = n + queries;
        (0..end).step_by(KEYS).map(move |m| Self { n, m, keys: KEYS.min(end - m) })
    }

    /// The keys of the block that query `i` of the block sees.
    #[inline(always)]
    fn seen(&self, i: usize) -> usize {
        (self.n + i + 1 - self.m).min(self.keys)
    }
}

/// The blocks of queries of a sequence: first one and number.
fn query_blocks(length: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..length).step_by(QUERIES).map(move |n| (n, QUERIES.min(length - n)))
}

/// Causal attention: writes the result, and for each row and head the logarithm of the sum of the
/// exponentials of all scores, from which derivatives find the softmax again.
///
/// Scores exist for a block of queries and keys at a time; the softmax over blocks is that of Milakov
/// and Gimelshein (2018), the blocking that of FlashAttention (Dao et al., 2022).
pub fn forward(qkv: &[f32], layout: &Layout, terms: &Terms, out: &mut [f32], norms: &mut [f32]) {
    let Heads { batch, length, head_width: width, .. } = layout.heads;
    let (stride, count, scale) = (layout.stride, layout.heads.heads(), layout.scale());
    let out_stride = layout.keys();
    let mut scores = Buffer::new(QUERIES * KEYS);
    for (sequence, head) in (0..batch).flat_map(|b| (0..count).map(move |head| (b, head))) {
        let at = layout.corners(sequence, head);
        for (n, queries) in query_blocks(length) {
            let q = &qkv[at.q + n * stride..];
            let out = &mut out[at.out + n * out_stride..];
            let (mut most, mut sums) = ([f32::NEG_INFINITY; QUERIES], [0.0_f32; QUERIES]);
            for block in Block::row(n, queries) {
                let keys = block.keys;
                multiply(
                    ViewMut::new(&mut scores, queries, keys, keys),
                    Mode::Set,
                    scale,
                    View::new(q, queries, width, stride),
                    View::new(&qkv[at.k + block.m * stride..], keys, width, stride).transposed(),
                );
                vectorised(
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
                    View::new(&scores, queries, keys, keys),
                    View::new(&qkv[at.v + block.m * stride..], keys, width, stride),
                );
            }
            let norms = &mut norms[(sequence * length + n) * count + head..];
            vectorised(
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

/// What [`forward`] left for its derivative.
#[derive(Debug, Clone, Copy)]
pub struct Saved<'a> {
    /// Queries, keys and values.
    pub qkv: &'a [f32],
    /// The results.
    pub out: &'a [f32],
    /// The logarithms of the sums.
    pub norms: &'a [f32],
}

/// The derivative of [`forward`]: from `dout`, that of the result, to `dqkv`, which is zero before, and
/// is added to `dcolumns`, that of the folded key columns. Scores are computed again, block by block.
pub fn backward(
    saved: &Saved<'_>,
    layout: &Layout,
    terms: &Terms,
    dout: &[f32],
    dqkv: &mut [f32],
    dcolumns: &mut [Vec<f32>],
) {
    let Heads { batch, length, groups, head_width: width, .. } = layout.heads;
    let (stride, count, scale) = (layout.stride, layout.heads.heads(), layout.scale());
    let out_stride = layout.keys();
    let Saved { qkv, out, norms } = *saved;
    let (mut scores, mut slopes) = (Buffer::new(QUERIES * KEYS), Buffer::new(QUERIES * KEYS));
    for (sequence, head) in (0..batch).flat_map(|b| (0..count).map(move |head| (b, head))) {
        let at = layout.corners(sequence, head);
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
                let view = ViewMut::new(&mut scores, queries, keys, keys);
                multiply(view, Mode::Set, scale, qs, k.transposed());
                let view = ViewMut::new(&mut slopes, queries, keys, keys);
                multiply(view, Mode::Set, 1.0, douts, v.transposed());
                vectorised(
                    #[inline(always)]
                    || {
                        let rows = scores[..size].chunks_exact_mut(keys);
                        for (i, (row, slope)) in
                            rows.zip(slopes[..size].chunks_exact_mut(keys)).enumerate()
                        {
                            let q = &q[i * stride..][..width];
                            let (seen, future) = row.split_at_mut(block.seen(i));
                            let (slope, none) = slope.split_at_mut(seen.len());
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
                            for (s, d) in seen.iter_mut().zip(&mut *slope) {
                                let p = exp(*s - norm);
                                *s = p;
                                *d = p * (*d - mean) * scale;
                            }
                            for (digit, dcolumn) in dcolumns.iter_mut().enumerate() {
                                let slope = terms.slope(digit, n + i, block.m, slope);
                                let dq = &mut dqkv[at.q + (n + i) * stride..][..width];
                                let w = terms.column(digit, &layout.heads, head);
                                let dw = &mut dcolumn[column..][..width];
                                terms.carry(digit, slope, w, q, dq, dw);
                            }
                        }
                    },
                );
                let (p, d) = (
                    View::new(&scores, queries, keys, keys),
                    View::new(&slopes, queries, keys, keys),
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
