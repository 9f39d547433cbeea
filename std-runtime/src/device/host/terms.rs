use super::vector::{add_scaled, sum2};
use crate::ops::Heads;

/// What an encoding adds to scores, in one form for ExPE, ExQPE and ALiBi:
/// `Σ_j t_j(n)·(κ_j(m) − κ_j(n))` for query position `n` and key position `m`, where `t_j(n)` is the
/// scaled product of query and folded key column (ExPE, ExQPE), or a head's slope (ALiBi).
#[derive(Debug, Default)]
pub struct Terms {
    /// `κ_j(m)`, one list for each `j`.
    pub keys: Vec<Vec<f32>>,
    /// The folded key columns, one list over all key heads for each `j`; none for ALiBi.
    pub folded: Vec<Vec<f32>>,
    /// ALiBi's slopes, one for each query head; none for ExPE and ExQPE.
    pub slopes: Vec<f32>,
}

impl Terms {
    /// Computes `t_j`, scale included, of the query `q` of query head `head`.
    #[inline(always)]
    pub fn factor(&self, digit: usize, heads: &Heads, head: usize, q: &[f32], scale: f32) -> f32 {
        match self.folded.get(digit) {
            Some(_) => scale * sum2(q, self.folded_column(digit, heads, head), |q, w| q * w),
            None => self.slopes.get(head).copied().unwrap_or(0.0),
        }
    }

    /// Borrows the part of folded column `digit` that query head `head` is multiplied with.
    #[inline(always)]
    pub fn folded_column(&self, digit: usize, heads: &Heads, head: usize) -> &[f32] {
        let first = head / heads.groups * heads.head_width;
        self.folded.get(digit).map_or(&[], |w| &w[first..][..heads.head_width])
    }

    /// Adds the terms of the query at `n` to its scores with the keys from `first` on.
    #[inline(always)]
    pub fn add(&self, digit: usize, factor: f32, n: usize, first: usize, scores: &mut [f32]) {
        let keys = &self.keys[digit];
        let own = keys[n];
        for (score, key) in scores.iter_mut().zip(&keys[first..]) {
            *score += factor * (key - own);
        }
    }

    /// Computes the gradient of `t_j(n)`: `Σ_m d_m·(κ_j(m) − κ_j(n))`, where `d` are the gradients of scores.
    #[inline(always)]
    pub fn factor_gradient(&self, digit: usize, n: usize, first: usize, scores: &[f32]) -> f32 {
        let keys = &self.keys[digit];
        let own = keys[n];
        sum2(scores, &keys[first..][..scores.len()], |score, key| score * (key - own))
    }

    /// Adds the gradients of the query and of the folded column, given that of an unscaled `t_j`.
    #[inline(always)]
    pub fn backward(
        &self,
        digit: usize,
        gradient: f32,
        w: &[f32],
        q: &[f32],
        dq: &mut [f32],
        dw: &mut [f32],
    ) {
        debug_assert!(digit < self.folded.len());
        add_scaled(dq, gradient, w);
        add_scaled(dw, gradient, q);
    }
}
