use super::PositionError;
use crate::num::Element;

/// The columns of the query and key inputs that an encoding overrides.
///
/// They are `digits` runs of `width / digits` columns, from column 0 on; every column of run `j` holds value `j`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct OverrideBlock {
    /// Number of overridden columns (`l` in the paper); 0 if the encoding overrides none.
    pub width: usize,
    /// Number of distinct values per position: 1 for ExPE, `D` for ExQPE, 0 if the encoding overrides none.
    pub digits: usize,
}

impl OverrideBlock {
    /// Returns the number of columns of one run, `width / digits`; 0 if there are no digits.
    pub const fn run_width(&self) -> usize {
        match self.width.checked_div(self.digits) {
            Some(run) => run,
            None => 0,
        }
    }
}

impl OverrideBlock {
    /// Writes value `j` into every column of run `j`.
    pub(super) fn fill<T: Element>(
        &self,
        values: &[T],
        row: &mut [T],
    ) -> Result<(), PositionError> {
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
