//! Position encodings: what tells a transformer where a token stands.
//!
//! Every encoding implements [`PositionEncoding`], whose methods are grouped by the four *sites* of
//! a decoder where a position can act. All of them default to "does nothing here", so an encoding
//! is the few methods it overrides:
//!
//! | site | encodings | methods |
//! |---|---|---|
//! | token embedding | [`Sinusoidal`], [`Learned`] | [`embed`](PositionEncoding::embed), [`embed_fixed`](PositionEncoding::embed_fixed) |
//! | query/key input | [`Expe`], [`Exqpe`] | [`override_block`](PositionEncoding::override_block), [`progression`](PositionEncoding::progression), [`query_digits`](PositionEncoding::query_digits), [`key_digits`](PositionEncoding::key_digits) |
//! | query/key head | [`Rope`] | [`rotation`](PositionEncoding::rotation), [`rotation_fixed`](PositionEncoding::rotation_fixed) |
//! | score | [`Alibi`] | [`slope`](PositionEncoding::slope) |
//!
//! The methods in `fixed` and those of digits are integer arithmetic throughout, for chips without a
//! floating-point unit; the values in floats are made from the same integers.
//!
//! [`NoPosition`] acts at none. [`Position`] holds any of them, chosen at run time from a
//! [`PositionConfig`].

mod alibi;
mod any;
mod apply;
mod config;
mod error;
mod expe;
mod exqpe;
mod grid;
mod learned;
mod none;
mod progression;
mod rope;
mod scaling;
mod sinusoidal;

pub use alibi::Alibi;
pub use any::{ModelDims, Position};
pub use apply::{bias_rows, embed_rows, override_key_rows, override_query_rows, rotate_rows};
pub use config::{PositionConfig, SUPPORTED};
pub use error::PositionError;
pub use expe::Expe;
pub use exqpe::{Exqpe, Growth, MAX_DIGITS};
pub use grid::{Beyond, Grid};
pub use learned::Learned;
pub use none::NoPosition;
pub use progression::Progression;
pub use rope::{Rope, rotate};
pub use scaling::Scaling;
pub use sinusoidal::Sinusoidal;

use crate::num::{Dyadic, Element};

/// The columns of the query and key inputs that an encoding overrides: `digits` equal runs that
/// begin at column 0 and are `width / digits` wide; run `j` holds value `j` throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OverrideBlock {
    /// Overridden columns in all (`l` in the paper); 0 when the encoding does not act here.
    pub width: usize,
    /// Distinct values per position: 1 for ExPE, `D` for ExQPE, 0 when the encoding does not act here.
    pub digits: usize,
}

impl OverrideBlock {
    /// Columns in one run: `width / digits`, 0 when there are none.
    pub const fn run_width(&self) -> usize {
        match self.width.checked_div(self.digits) {
            Some(run) => run,
            None => 0,
        }
    }
}

/// A position encoding over elements of type `T`, as the numbers that it puts at each site.
///
/// Positions count from 0. Each fallible method refuses a position that the encoding cannot tell
/// from another one ([`PositionError::BeyondLength`]).
pub trait PositionEncoding<T: Element = f32> {
    /// Positions `0..length()` are encoded. For ExPE and ExQPE they have pairwise different codes in
    /// `T`, unless [saturation](Beyond::Saturate) was asked for.
    ///
    /// `u32::MAX` where the encoding itself sets no limit, and with saturation; ExPE and ExQPE then
    /// still tell their `collision_free_length`.
    fn length(&self) -> u32 {
        u32::MAX
    }

    /// *Token embedding*: what embeddings are multiplied with before a code is added; 1 but for
    /// [`Sinusoidal`].
    fn embedding_scale(&self) -> f32 {
        1.0
    }

    /// *Token embedding*: scale an embedding `row` of model width and add the code of position `n`.
    ///
    /// # Errors
    /// [`PositionError::BeyondLength`], or [`PositionError::Width`] for a row of another width.
    fn embed(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        let _ = (n, row);
        Ok(())
    }

    /// *Token embedding*, in integers: as [`embed`](Self::embed), where `row` holds multiples of
    /// `2^exponent`. The scaled element and the code are each rounded to such a multiple, ties up,
    /// and their sum saturates.
    ///
    /// # Errors
    /// As [`embed`](Self::embed).
    fn embed_fixed(&self, n: u32, exponent: i32, row: &mut [i32]) -> Result<(), PositionError> {
        let _ = (n, exponent, row);
        Ok(())
    }

    /// *Query/key input*: which leading columns of the projections' inputs are overridden.
    fn override_block(&self) -> OverrideBlock {
        OverrideBlock::default()
    }

    /// *Query/key input*: the progression that the values of digit `digit` come from; zero for a
    /// digit that the encoding does not have.
    fn progression(&self, digit: usize) -> Progression {
        let _ = digit;
        Progression::default()
    }

    /// *Query/key input*: the digits `a_j` of a key at position `n`, lowest first, so that its
    /// values are `progression(j).value(a_j)`. ExPE has the one digit `n`.
    ///
    /// # Errors
    /// [`PositionError::BeyondLength`], or [`PositionError::Width`] when `digits` has not
    /// [`override_block().digits`](OverrideBlock::digits) places.
    fn key_digits(&self, n: u32, digits: &mut [u32]) -> Result<(), PositionError> {
        let _ = (n, digits);
        Ok(())
    }

    /// *Query/key input*: the digits of a query at position `n`: those of a key but for a query cap.
    ///
    /// # Errors
    /// As [`key_digits`](Self::key_digits).
    fn query_digits(&self, n: u32, digits: &mut [u32]) -> Result<(), PositionError> {
        self.key_digits(n, digits)
    }

    /// *Query/key input*: the values of a query at position `n`, one per digit, each rounded once.
    ///
    /// # Errors
    /// As [`key_digits`](Self::key_digits).
    fn query_values(&self, n: u32, values: &mut [T]) -> Result<(), PositionError> {
        progression::values(self, n, values, |digits| self.query_digits(n, digits))
    }

    /// *Query/key input*: the values of a key at position `n`, one per digit, each rounded once.
    ///
    /// # Errors
    /// As [`key_digits`](Self::key_digits).
    fn key_values(&self, n: u32, values: &mut [T]) -> Result<(), PositionError> {
        progression::values(self, n, values, |digits| self.key_digits(n, digits))
    }

    /// *Query/key input*, direct form: override the leading columns of a query's input `row`.
    ///
    /// # Errors
    /// As [`query_values`](Self::query_values); [`PositionError::Width`] for a row narrower than
    /// the override.
    fn override_query(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        let mut values = [T::ZERO; MAX_DIGITS];
        let columns = self.override_block();
        self.query_values(n, values.get_mut(..columns.digits).unwrap_or_default())?;
        columns.fill(&values, row)
    }

    /// *Query/key input*, direct form: override the leading columns of a key's input `row`.
    ///
    /// # Errors
    /// As [`override_query`](Self::override_query).
    fn override_key(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        let mut values = [T::ZERO; MAX_DIGITS];
        let columns = self.override_block();
        self.key_values(n, values.get_mut(..columns.digits).unwrap_or_default())?;
        columns.fill(&values, row)
    }

    /// *Query/key head*: whether heads are rotated, so that [`rotation`](Self::rotation) is needed.
    fn rotates(&self) -> bool {
        false
    }

    /// *Query/key head*: the rotation of position `n`, as cosines in the first half of `table` and
    /// sines in the second; `table` is one head wide. Apply it with [`rotate`].
    ///
    /// # Errors
    /// [`PositionError::BeyondLength`], or [`PositionError::Width`] for another head width.
    fn rotation(&self, n: u32, table: &mut [f32]) -> Result<(), PositionError> {
        let _ = (n, table);
        Ok(())
    }

    /// *Query/key head*, in integers: as [`rotation`](Self::rotation), in multiples of `2^-29`.
    ///
    /// # Errors
    /// As [`rotation`](Self::rotation).
    fn rotation_fixed(&self, n: u32, table: &mut [i32]) -> Result<(), PositionError> {
        let _ = (n, table);
        Ok(())
    }

    /// *Score*: the slope of `head`; the score of query position `n` and key position `m <= n` is
    /// lowered by `slope · (n − m)`.
    fn slope(&self, head: usize) -> f32 {
        let _ = head;
        0.0
    }

    /// *Score*: what is added to the scaled score of query position `n` and key position `m`.
    fn bias(&self, head: usize, n: u32, m: u32) -> f32 {
        -self.slope(head) * n.abs_diff(m) as f32
    }
}

impl OverrideBlock {
    /// Write value `j` into every column of run `j`.
    fn fill<T: Element>(&self, values: &[T], row: &mut [T]) -> Result<(), PositionError> {
        let found = row.len();
        let columns = row
            .get_mut(..self.width)
            .ok_or(PositionError::Width { expected: self.width, found })?;
        for (run, value) in columns.chunks_mut(self.run_width().max(1)).zip(values) {
            run.fill(*value);
        }
        Ok(())
    }
}

/// `x` plus `code` in multiples of `2^exponent`, ties up, saturated.
fn add_fixed(x: i64, code: Dyadic, exponent: i32) -> i32 {
    let sum = x.saturating_add(code.round_half_up(exponent));
    sum.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// Read a variant without settings; serde by itself would let any pass there.
#[cfg(feature = "serde")]
fn no_settings<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoSettings {}
    serde::Deserialize::deserialize(deserializer).map(|NoSettings {}| ())
}
