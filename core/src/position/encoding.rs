use super::{MAX_DIGITS, OverrideBlock, PositionError, Progression};
use crate::num::invariant::slice_mut;
use crate::num::{Element, Exponent};

/// A position encoding over elements of type `T`, as the numbers that it puts at each site.
///
/// Positions count from 0. Each fallible method refuses a position that the encoding cannot distinguish
/// from another one ([`PositionError::BeyondLength`]).
pub trait PositionEncoding<T: Element = f32> {
    /// Positions `0..length()` are encoded. For ExPE and ExQPE they have pairwise different codes in
    /// `T`, unless [saturation](super::Beyond::Saturate) was asked for.
    ///
    /// `u32::MAX` where the encoding itself sets no limit, and with saturation; ExPE and ExQPE then
    /// still have a `collision_free_length`.
    fn length(&self) -> u32 {
        u32::MAX
    }

    /// *Token embedding*: the factor of embeddings before an offset is added; 1 except for
    /// [`Sinusoidal`](super::Sinusoidal).
    fn embedding_scale(&self) -> f32 {
        1.0
    }

    /// *Token embedding*: scales an embedding `row` of model width and adds the offset of position `n`.
    ///
    /// # Errors
    /// [`PositionError::BeyondLength`], or [`PositionError::Width`] for a row of another width.
    fn embed(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        let _ = (n, row);
        Ok(())
    }

    /// *Token embedding*, in integers: as [`embed`](Self::embed), where `row` holds multiples of
    /// `2^exponent`. The scaled element and the offset are each rounded to such a multiple, ties up,
    /// and their sum saturates.
    ///
    /// # Errors
    /// As [`embed`](Self::embed).
    fn embed_fixed(
        &self,
        n: u32,
        exponent: Exponent,
        row: &mut [i32],
    ) -> Result<(), PositionError> {
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

    /// *Query/key input*: the digits of a query at position `n`: those of a key, except for a query cap.
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
        rounded_values(self, n, values, |digits| self.query_digits(n, digits))
    }

    /// *Query/key input*: the values of a key at position `n`, one per digit, each rounded once.
    ///
    /// # Errors
    /// As [`key_digits`](Self::key_digits).
    fn key_values(&self, n: u32, values: &mut [T]) -> Result<(), PositionError> {
        rounded_values(self, n, values, |digits| self.key_digits(n, digits))
    }

    /// *Query/key input*, direct form: overrides the leading columns of a query's input `row`.
    ///
    /// # Errors
    /// As [`query_values`](Self::query_values); [`PositionError::Width`] for a row narrower than
    /// the override.
    fn override_query(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        let mut values = [T::ZERO; MAX_DIGITS];
        let block = self.override_block();
        self.query_values(n, slice_mut(&mut values, ..block.digits))?;
        block.fill(&values, row)
    }

    /// *Query/key input*, direct form: overrides the leading columns of a key's input `row`.
    ///
    /// # Errors
    /// As [`override_query`](Self::override_query).
    fn override_key(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        let mut values = [T::ZERO; MAX_DIGITS];
        let block = self.override_block();
        self.key_values(n, slice_mut(&mut values, ..block.digits))?;
        block.fill(&values, row)
    }

    /// *Query/key head*: whether heads are rotated, so that [`rotation`](Self::rotation) is needed.
    fn rotates(&self) -> bool {
        false
    }

    /// *Query/key head*: the rotation of position `n`, as cosines in the first half of `table` and
    /// sines in the second; `table` is one head wide. Apply it with [`rotate`](super::rotate).
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

/// Write the values of the digits that `read` finds for position `n`.
fn rounded_values<T: Element, E: PositionEncoding<T> + ?Sized>(
    encoding: &E,
    n: u32,
    values: &mut [T],
    read: impl FnOnce(&mut [u32]) -> Result<(), PositionError>,
) -> Result<(), PositionError> {
    let (expected, found) = (encoding.override_block().digits, values.len());
    let mut digits = [0; MAX_DIGITS];
    let digits = match digits.get_mut(..found) {
        Some(digits) if found == expected => digits,
        _ => return Err(PositionError::Width { expected, found }),
    };
    read(digits)?;
    for (digit, (value, a)) in values.iter_mut().zip(digits).enumerate() {
        *value = encoding
            .progression(digit)
            .value(*a)
            .and_then(T::from_dyadic)
            .ok_or(PositionError::BeyondLength { position: n, length: encoding.length() })?;
    }
    Ok(())
}
