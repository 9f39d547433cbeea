use super::{PositionEncoding, PositionError};
use crate::num::Element;

/// Learned absolute positions: row `n` of a trained table is added to the token embedding.
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
    /// The `table` of rows of `width` elements, one per position.
    ///
    /// # Errors
    /// [`PositionError::Width`] when the table is empty or no whole number of rows.
    pub fn new(table: &'a [f32], width: usize) -> Result<Self, PositionError> {
        if table.is_empty() || table.len().checked_rem(width) != Some(0) {
            return Err(PositionError::Width { expected: width, found: table.len() });
        }
        Ok(Self { table, width })
    }

    fn rows(&self) -> u32 {
        let rows = self.table.len().checked_div(self.width).unwrap_or(0);
        u32::try_from(rows).unwrap_or(u32::MAX)
    }
}

impl<T: Element> PositionEncoding<T> for Learned<'_> {
    fn length(&self) -> u32 {
        self.rows()
    }

    fn embed(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        if row.len() != self.width {
            return Err(PositionError::Width { expected: self.width, found: row.len() });
        }
        let learned = (n as usize)
            .checked_mul(self.width)
            .and_then(|start| self.table.get(start..start.checked_add(self.width)?))
            .ok_or(PositionError::BeyondLength { position: n, length: self.rows() })?;
        for (x, p) in row.iter_mut().zip(learned) {
            *x = T::from_f32(x.to_f32() + p);
        }
        Ok(())
    }
}
