use super::kv_cache::Past;
use crate::kernels::{F32, Inputs, add_weighted_rows, dot, matvec, rows, softmax};
use crate::num::Math;
use crate::position::MAX_DIGITS;

/// What a query head knows of positions besides the past.
pub(super) struct HeadPosition<'a> {
    /// Sums of the overridden columns of the key projection, all digits: rows of `key_width`.
    pub key_columns: &'a [f32],
    /// `kv_heads · head_width`
    pub key_width: usize,
    /// Index of the head's kv head.
    pub kv_head: usize,
    /// What one position of distance takes off the score.
    pub slope: f32,
}

/// Attention of one query head at the last position `n` of the past, in place: `query` becomes
/// `Σ_m softmax_m(score(m))·value_m`, with
///
/// `score(m) = (q·c_m + Σ_j (key_j(m) − key_j(n))·(q·w_j))·scale − slope·(n − m)`
///
/// where `c_m` is a cached, position-free key and `w_j` the sum of the key projection's columns of
/// digit `j`. The full key is `c_m + Σ_j key_j(m)·w_j`; taking `key_j(n)` off shifts all scores of a
/// query alike, which softmax ignores, and leaves small differences where large numbers would cancel.
pub(super) fn attend<M: Math>(
    query: &mut [f32],
    past: &Past<'_>,
    position: &HeadPosition<'_>,
    scale: f32,
    scores: &mut [f32],
) {
    let width = query.len();
    let count = scores.len();
    matvec::<F32>(past.keys, width, Inputs::new(query, width), scores, count);

    let digits = past.codes.len().checked_div(count).unwrap_or(0);
    if digits > 0 {
        let mut by_digit = [0.0; MAX_DIGITS];
        let columns = rows(position.key_columns, position.key_width);
        for (product, columns) in by_digit.iter_mut().zip(columns) {
            let columns = rows(columns, width).nth(position.kv_head);
            *product = dot::<F32>(query, columns.unwrap_or(&[]));
        }
        let now = rows(past.codes, digits).nth(count.saturating_sub(1)).unwrap_or(&[]);
        for (score, codes) in scores.iter_mut().zip(rows(past.codes, digits)) {
            for ((then, now), product) in codes.iter().zip(now).zip(&by_digit) {
                *score += (then - now) * product;
            }
        }
    }
    for (distance, score) in (0..count).rev().zip(scores.iter_mut()) {
        *score = *score * scale - position.slope * distance as f32;
    }
    softmax::<M>(scores);
    query.fill(0.0);
    add_weighted_rows::<F32>(scores, past.values, query);
}
