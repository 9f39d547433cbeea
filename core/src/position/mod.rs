//! Position encodings: what tells a transformer where a token stands.
//!
//! Every encoding implements [`PositionEncoding`], whose methods are grouped by the four *sites* of
//! a decoder where a position can act. All of them default to "does nothing here", so an encoding
//! is the few methods it overrides:
//!
//! | site | encodings | methods |
//! |---|---|---|
//! | token embedding | [`Sinusoidal`], [`Learned`] | [`embed`](PositionEncoding::embed) |
//! | query/key input | [`Expe`], [`Exqpe`] | [`columns`](PositionEncoding::columns), [`query_values`](PositionEncoding::query_values), [`key_values`](PositionEncoding::key_values) |
//! | query/key head | [`Rope`] | [`rotation`](PositionEncoding::rotation) |
//! | score | [`Alibi`] | [`bias`](PositionEncoding::bias) |
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
mod rope;
mod scaling;
mod sinusoidal;

pub use alibi::Alibi;
pub use any::{Position, Shape};
pub use apply::{bias_rows, embed_rows, override_key_rows, override_query_rows, rotate_rows};
pub use config::{PositionConfig, SUPPORTED};
pub use error::PositionError;
pub use expe::Expe;
pub use exqpe::{Exqpe, Growth, MAX_DIGITS};
pub use grid::{Beyond, Grid};
pub use learned::Learned;
pub use none::NoPosition;
pub use rope::{Rope, rotate};
pub use scaling::Scaling;
pub use sinusoidal::Sinusoidal;

use crate::num::Element;

/// The columns of the query and key inputs that an encoding overrides: `digits` equal runs that
/// begin at column 0 and are `width / digits` wide; run `j` holds value `j` throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Columns {
    /// Overridden columns in all (`l` in the paper); 0 when the encoding does not act here.
    pub width: usize,
    /// Distinct values per position: 1 for ExPE, `D` for ExQPE, 0 when the encoding does not act here.
    pub digits: usize,
}

impl Columns {
    /// Columns in one run: `width / digits`, 0 when there are none.
    pub const fn run(&self) -> usize {
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
    /// The collision-free length: positions `0..length()` have pairwise different codes in `T`.
    ///
    /// `u32::MAX` where the encoding itself sets no limit.
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

    /// *Query/key input*: which leading columns of the projections' inputs are overridden.
    fn columns(&self) -> Columns {
        Columns::default()
    }

    /// *Query/key input*: the values of a query at position `n`, one per digit.
    ///
    /// # Errors
    /// [`PositionError::BeyondLength`], or [`PositionError::Width`] when `values` has not
    /// [`columns().digits`](Columns::digits) places.
    fn query_values(&self, n: u32, values: &mut [T]) -> Result<(), PositionError> {
        self.key_values(n, values)
    }

    /// *Query/key input*: the values of a key at position `n`, one per digit.
    ///
    /// # Errors
    /// As [`query_values`](Self::query_values).
    fn key_values(&self, n: u32, values: &mut [T]) -> Result<(), PositionError> {
        let _ = (n, values);
        Ok(())
    }

    /// *Query/key input*, direct form: override the leading columns of a query's input `row`.
    ///
    /// # Errors
    /// As [`query_values`](Self::query_values); [`PositionError::Width`] for a row narrower than
    /// the override.
    fn override_query(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        let mut values = [T::ZERO; MAX_DIGITS];
        let columns = self.columns();
        self.query_values(n, values.get_mut(..columns.digits).unwrap_or_default())?;
        columns.fill(&values, row)
    }

    /// *Query/key input*, direct form: override the leading columns of a key's input `row`.
    ///
    /// # Errors
    /// As [`override_query`](Self::override_query).
    fn override_key(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        let mut values = [T::ZERO; MAX_DIGITS];
        let columns = self.columns();
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

impl Columns {
    /// Write value `j` into every column of run `j`.
    fn fill<T: Element>(&self, values: &[T], row: &mut [T]) -> Result<(), PositionError> {
        let found = row.len();
        let columns = row
            .get_mut(..self.width)
            .ok_or(PositionError::Width { expected: self.width, found })?;
        for (run, value) in columns.chunks_mut(self.run().max(1)).zip(values) {
            run.fill(*value);
        }
        Ok(())
    }
}

/// Read a variant without settings; serde by itself would let any pass there.
#[cfg(feature = "serde")]
fn no_settings<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoSettings {}
    serde::Deserialize::deserialize(deserializer).map(|NoSettings {}| ())
}
