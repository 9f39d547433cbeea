use super::Arithmetic;
use crate::kernels::CacheFormat;
use crate::position::PositionEncoding;

/// Consecutive slots of one kv head of one layer: keys and values of some positions.
#[derive(Debug)]
pub struct CacheRun<'c, S: CacheFormat> {
    /// The first position.
    pub first: usize,
    /// Rows of `head_width`.
    pub keys: &'c [S::Bits],
    /// One per key, if the format has scales.
    pub key_scales: &'c [u16],
    /// Rows of `head_width`.
    pub values: &'c [S::Bits],
    /// One per value, if the format has scales.
    pub value_scales: &'c [u16],
}

/// What one kv head of one layer holds: the positions `0..count` of the cache's window.
#[derive(Debug)]
pub struct Past<'c, S: CacheFormat, W> {
    /// All positions, in up to three runs; some may be empty.
    pub runs: [CacheRun<'c, S>; 3],
    /// What the positions put into the keys' overridden columns: rows of `D` words.
    pub position_words: &'c [W],
}

/// What a query head needs to know of positions besides the past.
#[derive(Debug, Clone, Copy)]
pub struct HeadPosition<'a> {
    /// Sums of the key projection's overridden columns: a row of `key_width` per digit.
    pub key_folded: &'a [f32],
    /// `kv_heads · head_width`
    pub key_width: usize,
    /// Index of the head's kv head.
    pub kv_head: usize,
    /// What one position of distance subtracts from the score.
    pub slope: f32,
}

/// Attention over a cache of the format `S`: the bound for code that is generic over the arithmetic and
/// the cache format. Its methods are [`internals`](crate::internals), which may change in any release.
pub trait Attend<S: CacheFormat>: Arithmetic {
    /// Stores a head's key or value and returns the bits of its scale, a bfloat16.
    fn store(&self, row: &[Self::Scalar], place: &mut [S::Bits]) -> u16;

    /// Computes attention of one query head at the last position `n` of the past, in place: `query`
    /// becomes `Σ_m softmax_m(score(m))·value_m`, where
    ///
    /// `score(m) = (q·c_m + Σ_j (key_j(m) − key_j(n))·(q·w_j))/√d_h − slope·(n − m)`,
    ///
    /// `c_m` is a cached, position-free key, and `w_j` the sum of the key projection's columns of
    /// digit `j`. The full key is `c_m + Σ_j key_j(m)·w_j`. Subtracting `key_j(n)` shifts all scores
    /// of a query by the same amount, which softmax ignores, and leaves small differences where
    /// large numbers would cancel.
    ///
    /// `scores` has one place per position, `quants` room for a head.
    fn attend(
        &self,
        position: &impl PositionEncoding,
        head: &HeadPosition<'_>,
        past: &Past<'_, S, Self::PositionWord>,
        query: &mut [Self::Scalar],
        scores: &mut [Self::Scalar],
        quants: &mut [i8],
    );
}
