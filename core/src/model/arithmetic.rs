use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{DecodeError, Logit, Model};
use crate::kernels::{Inputs, Matrix};
use crate::position::{PositionEncoding, PositionError};
use crate::shape::{Activation, Config};

/// The numbers in which a [`Decoder`](super::Decoder) computes: [`Float`](super::Float) or
/// [`Integer`](super::Integer).
///
/// The forward pass fixes what is computed and in which order, for every model; an arithmetic says
/// how each step is computed. [`Attend`](super::Attend) adds attention over one cache format.
pub trait Arithmetic {
    /// An element of the residual stream, of queries, keys, values and logits; 4 bytes.
    type Scalar: Logit + Default + core::fmt::Debug + FromBytes + IntoBytes + Immutable;

    /// What a position puts into one run of overridden columns, as a cache keeps it; 4 bytes.
    type PositionWord: Copy + Default + core::fmt::Debug + FromBytes + IntoBytes + Immutable;

    /// Computes the constants of a model and checks that this arithmetic can run it.
    ///
    /// # Errors
    /// [`DecodeError::NotInteger`] or [`DecodeError::Range`].
    fn new(model: &Model<'_>) -> Result<Self, DecodeError>
    where
        Self: Sized;

    /// Writes the embedding of `token` to `x`.
    fn embed(&self, embed: &Matrix<'_>, token: usize, x: &mut [Self::Scalar]);

    /// Adds position `n` to a row of the residual stream (site: *token embedding*).
    ///
    /// # Errors
    /// The encoding's [`PositionError`].
    fn embed_position(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        x: &mut [Self::Scalar],
    ) -> Result<(), PositionError>;

    /// Writes the key's words of position `n`, one per digit (site: *query/key input*).
    ///
    /// # Errors
    /// The encoding's [`PositionError`].
    fn key_words(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        words: &mut [Self::PositionWord],
    ) -> Result<(), PositionError>;

    /// Writes the query's words of position `n`, one per digit (site: *query/key input*).
    ///
    /// # Errors
    /// The encoding's [`PositionError`], or [`PositionError::BeyondLength`] where a query with this
    /// position could overflow.
    fn query_words(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        words: &mut [Self::PositionWord],
    ) -> Result<(), PositionError>;

    /// Writes the rotation of position `n` (site: *query/key head*).
    ///
    /// # Errors
    /// The encoding's [`PositionError`].
    fn rotation(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        table: &mut [Self::Scalar],
    ) -> Result<(), PositionError>;

    /// Normalizes a row of the residual stream into `y`. For integer matrices it also quantizes `y`
    /// into `quants` and returns the scale.
    fn norm(
        &self,
        config: &Config,
        x: &[Self::Scalar],
        gain: &[f32],
        y: &mut [Self::Scalar],
        quants: &mut [i8],
    ) -> f32;

    /// Quantizes a row of attention's output for integer matrices and returns the scale.
    fn quantize_attention(&self, x: &[Self::Scalar], quants: &mut [i8]) -> f32;

    /// Quantizes a row of the MLP's inner layer for integer matrices and returns the scale.
    fn quantize_inner(&self, x: &[Self::Scalar], quants: &mut [i8]) -> f32;

    /// Computes `y_r = W·x_r` for every input row.
    fn project(
        &self,
        matrix: &Matrix<'_>,
        inputs: Inputs<'_, Self::Scalar>,
        outputs: &mut [Self::Scalar],
    );

    /// Computes `x_r += W·y_r` for every row of the residual stream.
    fn project_add(
        &self,
        matrix: &Matrix<'_>,
        inputs: Inputs<'_, Self::Scalar>,
        x: &mut [Self::Scalar],
    );

    /// Adds the position to a query: `q += Σ_j value_j·folded_j`, where `folded` holds the sums of
    /// the overridden columns, a row of the query's width per digit.
    fn add_folded(
        &self,
        position: &impl PositionEncoding,
        words: &[Self::PositionWord],
        folded: &[f32],
        q: &mut [Self::Scalar],
    );

    /// Rotates a head by a table of [`rotation`](Self::rotation).
    fn rotate(&self, table: &[Self::Scalar], head: &mut [Self::Scalar]);

    /// Applies the MLP's activation in place; `gate` is empty except for SwiGLU.
    fn activate(&self, activation: Activation, x: &mut [Self::Scalar], gate: &[Self::Scalar]);
}
