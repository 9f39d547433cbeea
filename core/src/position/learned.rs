use super::{PositionEncoding, PositionError};
use crate::num::invariant::quotient;
use crate::num::{Element, Exponent};

/// Learned absolute positions: adds row `n` of a trained table to the token embedding.
///
/// ```
/// use expe_core::position::{Learned, PositionEncoding};
/// let table = [0.5, 1.0, -0.5, 2.0];
/// let learned = Learned::new(&table, 2)?;
/// let mut row = [1.0f32, 1.0];
/// learned.embed(1, &mut row)?;
/// assert_eq!(row, [0.5, 3.0]);
/// assert!(learned.embed(2, &mut row).is_err());
/// # Ok::<(), expe_core::position::PositionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learned<'a> {
    table: &'a [f32],
    width: usize,
}

impl<'a> Learned<'a> {
    /// Creates the encoding from `table`, which has one row of `width` elements per position.
    ///
    /// # Errors
    /// [`PositionError::Width`] if the table is empty or its length is not a multiple of `width`.
    pub fn new(table: &'a [f32], width: usize) -> Result<Self, PositionError> {
        if table.is_empty() || table.len().checked_rem(width) != Some(0) {
            return Err(PositionError::Width { expected: width, found: table.len() });
        }
        Ok(Self { table, width })
    }

    fn rows(&self) -> u32 {
        let rows = quotient(self.table.len(), self.width);
        u32::try_from(rows).unwrap_or(u32::MAX)
    }

    /// Returns the vector of position `n`, for a row of `found` elements.
    fn vector(&self, n: u32, found: usize) -> Result<&'a [f32], PositionError> {
        if found != self.width {
            return Err(PositionError::Width { expected: self.width, found });
        }
        (n as usize)
            .checked_mul(self.width)
            .and_then(|start| self.table.get(start..start.checked_add(self.width)?))
            .ok_or(PositionError::BeyondLength { position: n, length: self.rows() })
    }
}

impl<T: Element> PositionEncoding<T> for Learned<'_> {
    fn length(&self) -> u32 {
        self.rows()
    }

    fn embed(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        for (p, x) in self.vector(n, row.len())?.iter().zip(row) {
            *x = T::from_f32(x.to_f32() + p);
        }
        Ok(())
    }

    /// Converts the table without floating-point instructions.
    ///
    /// # Errors
    /// The same as for [`embed`](PositionEncoding::embed), and [`PositionError::Parameter`] for an element of the
    /// table that is not finite; elements before it are changed.
    fn embed_fixed(
        &self,
        n: u32,
        exponent: Exponent,
        row: &mut [i32],
    ) -> Result<(), PositionError> {
        for (p, x) in self.vector(n, row.len())?.iter().zip(row) {
            let (name, range) = ("position table", "below 2^128");
            let offset =
                p.to_dyadic().ok_or(PositionError::Parameter { name, range, value: *p })?;
            *x = offset.add_to_fixed((*x).into(), exponent);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_round_ties_up_and_saturate() {
        let table = [0.5, -0.5, 0.25, 1e30, -1e30, f32::NAN];
        let learned = Learned::new(&table, 3).unwrap();
        let mut row = [1, 1, i32::MAX];
        PositionEncoding::<f32>::embed_fixed(&learned, 0, Exponent(0), &mut row).unwrap();
        assert_eq!(row, [2, 1, i32::MAX]);
        PositionEncoding::<f32>::embed_fixed(&learned, 0, Exponent(-2), &mut row).unwrap();
        assert_eq!(row, [4, -1, i32::MAX]);
        let not_finite = PositionEncoding::<f32>::embed_fixed(&learned, 1, Exponent(0), &mut row);
        assert!(
            matches!(not_finite, Err(PositionError::Parameter { value, .. }) if value.is_nan())
        );
        assert_eq!(row, [i32::MAX, i32::MIN, i32::MAX]);
        assert_eq!(
            PositionEncoding::<f32>::embed_fixed(&learned, 2, Exponent(0), &mut row),
            Err(PositionError::BeyondLength { position: 2, length: 2 })
        );
    }
}
