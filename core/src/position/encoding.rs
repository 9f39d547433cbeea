use super::{MAX_DIGITS, OverrideBlock, PositionError, Progression};
use crate::num::invariant::slice_mut;
use crate::num::{Element, Exponent};

/// A position encoding for elements of type `T`, as the numbers that it contributes at each site.
///
/// Positions count from 0. Methods return [`PositionError::BeyondLength`] for a position that the encoding cannot
/// distinguish from another one.
pub trait PositionEncoding<T: Element = f32> {
    /// Returns the number of positions that can be encoded: `0..length()`.
    ///
    /// For ExPE and ExQPE these positions have pairwise different codes in `T`, unless the encoding
    /// [saturates](super::Beyond::Saturate). `u32::MAX` for an encoding without a limit and for one that saturates;
    /// see also [`Expe::collision_free_length`](super::Expe::collision_free_length).
    fn length(&self) -> u32 {
        u32::MAX
    }

    /// *Token embedding*: returns the factor by which embeddings are scaled before an offset is added; 1 except
    /// for [`Sinusoidal`](super::Sinusoidal).
    fn embedding_scale(&self) -> f32 {
        1.0
    }

    /// *Token embedding*: scales an embedding `row` of model width and adds the offset of position `n`.
    ///
    /// # Errors
    /// [`PositionError::BeyondLength`], or [`PositionError::Width`] if `row` does not have the model's width.
    fn embed(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        let _ = (n, row);
        Ok(())
    }

    /// *Token embedding*, in integers: [`embed`](Self::embed) for a `row` in units of `2^exponent`.
    ///
    /// The scaled element and the offset are each rounded to an integer, ties up, and their sum saturates.
    ///
    /// # Errors
    /// The same as for [`embed`](Self::embed).
    fn embed_fixed(
        &self,
        n: u32,
        exponent: Exponent,
        row: &mut [i32],
    ) -> Result<(), PositionError> {
        let _ = (n, exponent, row);
        Ok(())
    }

    /// *Query/key input*: returns the overridden leading columns of the inputs of the projections.
    fn override_block(&self) -> OverrideBlock {
        OverrideBlock::default()
    }

    /// *Query/key input*: returns the progression of the values of digit `digit`; zero for a digit that does not
    /// exist.
    fn progression(&self, digit: usize) -> Progression {
        let _ = digit;
        Progression::default()
    }

    /// *Query/key input*: writes the digits `a_j` of a key at position `n`, lowest first.
    ///
    /// The values of the key are `progression(j).value(a_j)`. ExPE has the single digit `n`.
    ///
    /// # Errors
    /// [`PositionError::BeyondLength`], or [`PositionError::Width`] if the length of `digits` is not
    /// [`override_block().digits`](OverrideBlock::digits).
    fn key_digits(&self, n: u32, digits: &mut [u32]) -> Result<(), PositionError> {
        let _ = (n, digits);
        Ok(())
    }

    /// *Query/key input*: writes the digits of a query at position `n`, which are those of a key unless there is a
    /// query cap.
    ///
    /// # Errors
    /// The same as for [`key_digits`](Self::key_digits).
    fn query_digits(&self, n: u32, digits: &mut [u32]) -> Result<(), PositionError> {
        self.key_digits(n, digits)
    }

    /// *Query/key input*: writes the values of a query at position `n`, one per digit, each rounded once.
    ///
    /// # Errors
    /// The same as for [`key_digits`](Self::key_digits).
    fn query_values(&self, n: u32, values: &mut [T]) -> Result<(), PositionError> {
        rounded_values(self, n, values, |digits| self.query_digits(n, digits))
    }

    /// *Query/key input*: writes the values of a key at position `n`, one per digit, each rounded once.
    ///
    /// # Errors
    /// The same as for [`key_digits`](Self::key_digits).
    fn key_values(&self, n: u32, values: &mut [T]) -> Result<(), PositionError> {
        rounded_values(self, n, values, |digits| self.key_digits(n, digits))
    }

    /// *Query/key input*, direct form: overrides the leading columns of a query's input `row`.
    ///
    /// # Errors
    /// The same as for [`query_values`](Self::query_values), and [`PositionError::Width`] for a row narrower than
    /// the overridden block.
    fn override_query(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        let mut values = [T::ZERO; MAX_DIGITS];
        let block = self.override_block();
        self.query_values(n, slice_mut(&mut values, ..block.digits))?;
        block.fill(&values, row)
    }

    /// *Query/key input*, direct form: overrides the leading columns of a key's input `row`.
    ///
    /// # Errors
    /// The same as for [`override_query`](Self::override_query).
    fn override_key(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        let mut values = [T::ZERO; MAX_DIGITS];
        let block = self.override_block();
        self.key_values(n, slice_mut(&mut values, ..block.digits))?;
        block.fill(&values, row)
    }

    /// *Query/key head*: returns whether heads are rotated by [`rotation`](Self::rotation).
    fn rotates(&self) -> bool {
        false
    }

    /// *Query/key head*: writes the rotation of position `n`, which [`rotate`](super::rotate) applies.
    ///
    /// `table` has the width of a head: cosines in the first half, sines in the second.
    ///
    /// # Errors
    /// [`PositionError::BeyondLength`], or [`PositionError::Width`] if `table` does not have the head's width.
    fn rotation(&self, n: u32, table: &mut [f32]) -> Result<(), PositionError> {
        let _ = (n, table);
        Ok(())
    }

    /// *Query/key head*, in integers: [`rotation`](Self::rotation) in units of `2^-29`.
    ///
    /// # Errors
    /// The same as for [`rotation`](Self::rotation).
    fn rotation_fixed(&self, n: u32, table: &mut [i32]) -> Result<(), PositionError> {
        let _ = (n, table);
        Ok(())
    }

    /// *Score*: returns the slope of `head`, by which the score of query position `n` and key position `m ≤ n` is
    /// lowered: `slope · (n − m)`.
    fn slope(&self, head: usize) -> f32 {
        let _ = head;
        0.0
    }

    /// *Score*: returns the bias added to the scaled score of query position `n` and key position `m`.
    fn bias(&self, head: usize, n: u32, m: u32) -> f32 {
        -self.slope(head) * n.abs_diff(m) as f32
    }
}

/// Writes the values of the digits that `write_digits` writes for position `n`.
fn rounded_values<T: Element, E: PositionEncoding<T> + ?Sized>(
    encoding: &E,
    n: u32,
    values: &mut [T],
    write_digits: impl FnOnce(&mut [u32]) -> Result<(), PositionError>,
) -> Result<(), PositionError> {
    let (expected, found) = (encoding.override_block().digits, values.len());
    let mut digits = [0; MAX_DIGITS];
    let digits = match digits.get_mut(..found) {
        Some(digits) if found == expected => digits,
        _ => return Err(PositionError::Width { expected, found }),
    };
    write_digits(digits)?;
    for (digit, (value, a)) in values.iter_mut().zip(digits).enumerate() {
        *value = encoding
            .progression(digit)
            .value(*a)
            .and_then(T::from_dyadic)
            .ok_or(PositionError::BeyondLength { position: n, length: encoding.length() })?;
    }
    Ok(())
}
