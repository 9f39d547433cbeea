use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::kv_cache::Past;
use super::{DecodeError, Model};
use crate::kernels::{CacheFormat, Inputs, Matrix};
use crate::position::{PositionEncoding, PositionError};
use crate::shape::{Activation, Config};

/// The numbers in which a [`Decoder`](super::Decoder) computes, and what it does with them:
/// [`Float`](super::Float) or [`Integer`](super::Integer).
///
/// The decoder decides what is computed in which order, for every model and every arithmetic alike;
/// here is how. Implement it to look on: measure ranges, count operations.
pub trait Arithmetic {
    /// One number of the residual stream, of queries, keys, values and logits; 4 bytes.
    type Real: Copy + Default + core::fmt::Debug + FromBytes + IntoBytes + Immutable;

    /// What is the same for all tokens; checks that the model can be computed so.
    ///
    /// # Errors
    /// [`DecodeError`] for a model that this arithmetic cannot run.
    fn new(model: &Model<'_>) -> Result<Self, DecodeError>
    where
        Self: Sized;

    /// `x` becomes the embedding of `token`.
    fn embed(&self, embed: &Matrix<'_>, token: usize, x: &mut [Self::Real]);

    /// The *token embedding* site: add position `n` to a row of the residual stream.
    ///
    /// # Errors
    /// Those of the encoding.
    fn embed_position(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        x: &mut [Self::Real],
    ) -> Result<(), PositionError>;

    /// The *query/key input* site: what position `n` puts into the keys' columns, one word per digit.
    ///
    /// # Errors
    /// Those of the encoding.
    fn key_codes(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        codes: &mut [u32],
    ) -> Result<(), PositionError>;

    /// The *query/key input* site: what position `n` puts into the queries' columns.
    ///
    /// # Errors
    /// Those of the encoding.
    fn query_codes(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        codes: &mut [u32],
    ) -> Result<(), PositionError>;

    /// The *query/key head* site: the rotation of position `n`.
    ///
    /// # Errors
    /// Those of the encoding.
    fn rotation(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        table: &mut [Self::Real],
    ) -> Result<(), PositionError>;

    /// The norm of a row of the residual stream: into `y`, and into `codes` as 8-bit integers where
    /// matrices need them, whose scale it gives.
    fn norm(
        &self,
        config: &Config,
        x: &[Self::Real],
        gain: &[f32],
        y: &mut [Self::Real],
        codes: &mut [i8],
    ) -> f32;

    /// A row of attention's output, as 8-bit integers where matrices need them, whose scale it gives.
    fn pack_attention(&self, x: &[Self::Real], codes: &mut [i8]) -> f32;

    /// A row of the MLP's inner layer, as 8-bit integers where matrices need them, whose scale it
    /// gives.
    fn pack_inner(&self, x: &[Self::Real], codes: &mut [i8]) -> f32;

    /// `y_r = W·x_r` for every input row.
    fn project(
        &self,
        matrix: &Matrix<'_>,
        inputs: Inputs<'_, Self::Real>,
        outputs: &mut [Self::Real],
    );

    /// `x_r += W·y_r` for every row of the residual stream.
    fn project_add(
        &self,
        matrix: &Matrix<'_>,
        inputs: Inputs<'_, Self::Real>,
        x: &mut [Self::Real],
    );

    /// The folded columns of a query: `q += Σ_j value_j·columns_j`.
    fn add_columns(
        &self,
        position: &impl PositionEncoding,
        codes: &[u32],
        columns: &[f32],
        q: &mut [Self::Real],
    );

    /// Rotate a head by a table of [`rotation`](Self::rotation).
    fn rotate(&self, table: &[Self::Real], head: &mut [Self::Real]);

    /// The MLP's non-linearity, in place; `gate` is empty but for SwiGLU.
    fn activate(&self, activation: Activation, x: &mut [Self::Real], gate: &[Self::Real]);
}

/// What a query head knows of positions besides the past.
#[derive(Debug, Clone, Copy)]
pub struct HeadPosition<'a> {
    /// Sums of the overridden columns of the key projection, all digits: rows of `key_width`.
    pub key_columns: &'a [f32],
    /// `kv_heads · head_width`
    pub key_width: usize,
    /// Index of the head's kv head.
    pub kv_head: usize,
    /// What one position of distance takes off the score.
    pub slope: f32,
}

/// Attention with a cache of the format `S`.
pub trait Attend<S: CacheFormat>: Arithmetic {
    /// Store a head's key or value; gives the bits of its scale.
    fn store(&self, row: &[Self::Real], place: &mut [S::Bits]) -> u16;

    /// Attention of one query head at the last position `n` of the past, in place: `query` becomes
    /// `Σ_m softmax_m(score(m))·value_m`, with
    ///
    /// `score(m) = (q·c_m + Σ_j (key_j(m) − key_j(n))·(q·w_j))/√d_h − slope·(n − m)`
    ///
    /// where `c_m` is a cached, position-free key and `w_j` the sum of the key projection's columns of
    /// digit `j`. The full key is `c_m + Σ_j key_j(m)·w_j`; taking `key_j(n)` off shifts all scores of
    /// a query alike, which softmax ignores, and leaves small differences where large numbers would
    /// cancel.
    ///
    /// `scores` has one place per position, `codes` room for a head.
    fn attend(
        &self,
        position: &impl PositionEncoding,
        head: &HeadPosition<'_>,
        past: &Past<'_, S>,
        query: &mut [Self::Real],
        scores: &mut [Self::Real],
        codes: &mut [i8],
    );
}
