use super::{Beyond, Grid, OverrideBlock, PositionEncoding, PositionError, Progression};
use crate::num::Element;

/// ExPE: overrides the first `l` columns of the query and key inputs by `p_n = S + θ·n` (arXiv 2509.19569).
///
/// The override follows the pre-norm in every layer and changes neither the values nor the residual stream. The
/// code `p_n` is computed in integers and rounded once to `T`, so that all codes are pairwise different up to the
/// [collision-free length](Grid::length).
///
/// With a *query cap*, an extension of the paper, a query at `n` uses `S + θ·min(n, cap)` while keys are unchanged.
/// Past the cap, the effect of positions no longer depends on where the window lies.
///
/// ```
/// use expe_core::position::{Expe, PositionEncoding};
/// let expe = Expe::<f32>::new(16.0, 1.0 / 16.0, 3)?;
/// let mut row = [9.0f32; 5];
/// expe.override_key(8, &mut row)?;
/// assert_eq!(row, [16.5, 16.5, 16.5, 9.0, 9.0]);
/// assert_eq!(expe.decode(16.5), Some(8));
/// # Ok::<(), expe_core::position::PositionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expe<T = f32> {
    grid: Grid<T>,
    width: usize,
    query_cap: u32,
    beyond: Beyond,
}

impl<T: Element> Expe<T> {
    /// Creates the encoding from start `S`, step `θ` and the number `l` of overridden columns, `width`.
    ///
    /// # Errors
    /// [`PositionError::Step`], as for [`Grid::new`], or [`PositionError::Width`] if `width` is 0.
    pub fn new(start: f32, step: f32, width: usize) -> Result<Self, PositionError> {
        if width == 0 {
            return Err(PositionError::Width { expected: 1, found: 0 });
        }
        let grid = Grid::new(start, step)?;
        Ok(Self { grid, width, query_cap: u32::MAX, beyond: Beyond::Refuse })
    }

    /// Encodes queries at position `min(n, cap)`.
    #[must_use]
    pub const fn with_query_cap(self, cap: u32) -> Self {
        Self { query_cap: cap, ..self }
    }

    /// Sets what happens to positions past the collision-free length.
    #[must_use]
    pub const fn with_beyond(self, beyond: Beyond) -> Self {
        Self { beyond, ..self }
    }

    /// Returns the progression of codes.
    pub const fn grid(&self) -> &Grid<T> {
        &self.grid
    }

    /// Returns the number of positions with pairwise different codes in `T`, the [length](Grid::length) of the grid.
    ///
    /// It does not depend on whether positions past it are an error or saturate.
    pub const fn collision_free_length(&self) -> u32 {
        self.grid.length()
    }

    /// Returns the code `p_n` of a key at position `n`.
    ///
    /// # Errors
    /// [`PositionError::BeyondLength`], unless the encoding saturates.
    pub fn encode(&self, n: u32) -> Result<T, PositionError> {
        let mut value = [T::ZERO];
        self.key_values(n, &mut value)?;
        let [value] = value;
        Ok(value)
    }

    /// Returns the position whose code is `code`, computed in integers; `None` if there is none.
    pub fn decode(&self, code: T) -> Option<u32> {
        self.grid.decode(code)
    }
}

impl<T: Element> PositionEncoding<T> for Expe<T> {
    fn length(&self) -> u32 {
        match self.beyond {
            Beyond::Refuse => self.grid.length(),
            Beyond::Saturate => u32::MAX,
        }
    }

    fn override_block(&self) -> OverrideBlock {
        OverrideBlock { width: self.width, digits: 1 }
    }

    fn progression(&self, digit: usize) -> Progression {
        if digit == 0 { self.grid.progression() } else { Progression::default() }
    }

    fn key_digits(&self, n: u32, digits: &mut [u32]) -> Result<(), PositionError> {
        let found = digits.len();
        let [digit] = digits else {
            return Err(PositionError::Width { expected: 1, found });
        };
        *digit = self.beyond.limit(n, self.grid.length())?;
        Ok(())
    }

    fn query_digits(&self, n: u32, digits: &mut [u32]) -> Result<(), PositionError> {
        self.key_digits(n.min(self.query_cap), digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_cap_limits_queries_but_not_keys() {
        let expe = Expe::<f32>::new(0.0, 0.125, 1).unwrap().with_query_cap(10);
        let mut value = [0.0];
        expe.query_values(1_000, &mut value).unwrap();
        assert_eq!(value, [1.25]);
        expe.key_values(1_000, &mut value).unwrap();
        assert_eq!(value, [125.0]);
        let mut digit = [0];
        expe.query_digits(1_000, &mut digit).unwrap();
        assert_eq!(digit, [10]);
        expe.key_digits(1_000, &mut digit).unwrap();
        assert_eq!(digit, [1_000]);
        assert_eq!(expe.progression(1), Progression::default());
    }

    #[test]
    fn positions_past_the_length_are_errors_or_saturate() {
        let expe = Expe::<f32>::new(0.0, 1.0, 1).unwrap();
        let length = PositionEncoding::length(&expe);
        assert_eq!(
            expe.encode(length),
            Err(PositionError::BeyondLength { position: length, length })
        );
        let saturating = expe.with_beyond(Beyond::Saturate);
        assert_eq!(saturating.encode(u32::MAX), expe.encode(length - 1));
        let mut digit = [0];
        saturating.key_digits(u32::MAX, &mut digit).unwrap();
        assert_eq!(digit, [length - 1]);
    }

    #[test]
    fn wrong_widths_are_errors() {
        let expe = Expe::<f32>::new(0.0, 1.0, 4).unwrap();
        let narrow = PositionError::Width { expected: 4, found: 3 };
        assert_eq!(expe.override_key(0, &mut [0.0; 3]), Err(narrow));
        assert!(expe.key_values(0, &mut [0.0; 2]).is_err());
        assert!(Expe::<f32>::new(0.0, 1.0, 0).is_err());
    }
}
