use crate::ops::Heads;
use crate::ops::fused::vector::{add_scaled, sum2};

/// What an encoding adds to scores, in one form for ExPE, ExQPE and ALiBi:
/// `Σ_j t_j(n)·(κ_j(m) − κ_j(n))` for query position `n` and key position `m`, where `t_j(n)` is the
/// scaled product of query and folded key column (ExPE, ExQPE), or a head's slope (ALiBi).
#[derive(Debug, Default)]
pub struct Terms {
    /// `κ_j(m)`, one list for each `j`.
    pub keys: Vec<Vec<f32>>,
    /// The folded key columns, one list over all key heads for each `j`; none for ALiBi.
    pub columns: Vec<Vec<f32>>,
    /// One slope for each query head; none for ExPE and ExQPE.
    pub slopes: Vec<f32>,
}

impl Terms {
    /// `t_j` of the query `q`, already scaled, of query head `head`.
    #[inline(always)]
    pub fn factor(&self, digit: usize, heads: &Heads, head: usize, q: &[f32], scale: f32) -> f32 {
        match self.columns.get(digit) {
            Some(_) => scale * sum2(q, self.column(digit, heads, head), |q, w| q * w),
            None => self.slopes.get(head).copied().unwrap_or(0.0),
        }
    }

    /// The part of folded column `digit` that query head `head` meets.
    #[inline(always)]
    pub fn column(&self, digit: usize, heads: &Heads, head: usize) -> &[f32] {
        let first = head / heads.groups * heads.head_width;
        self.columns.get(digit).map_or(&[], |w| &w[first..][..heads.head_width])
    }

    /// Add the terms of the query at `n` to its scores with the keys at `first…`.
    #[inline(always)]
    pub fn add(&self, digit: usize, factor: f32, n: usize, first: usize, scores: &mut [f32]) {
        let keys = &self.keys[digit];
        let own = keys[n];
        for (score, key) in scores.iter_mut().zip(&keys[first..]) {
            *score += factor * (key - own);
        }
    }

    /// The derivative by `t_j(n)`: `Σ_m slope_m·(κ_j(m) − κ_j(n))`.
    #[inline(always)]
    pub fn slope(&self, digit: usize, n: usize, first: usize, slopes: &[f32]) -> f32 {
        let keys = &self.keys[digit];
        let own = keys[n];
        sum2(slopes, &keys[first..][..slopes.len()], |slope, key| slope * (key - own))
    }

    /// Carry `factor_slope`, the derivative by an unscaled `t_j`, on to the query and the column.
    #[inline(always)]
    pub fn carry(
        &self,
        digit: usize,
        slope: f32,
        w: &[f32],
        q: &[f32],
        dq: &mut [f32],
        dw: &mut [f32],
    ) {
        debug_assert!(digit < self.columns.len());
        add_scaled(dq, slope, w);
        add_scaled(dw, slope, q);
    }
}
