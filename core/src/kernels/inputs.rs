//! The input rows of a matrix product, as numbers and as 8-bit integers.

use super::kernel::MAX_TILE_INPUTS;
use super::rows::rows;
use crate::num::invariant::slice;

/// The input rows of a matrix product.
///
/// Rows have `width` numbers, of which the first `skip` are ignored. For integer matrices the rows also exist as
/// 8-bit integers with one scale per row.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a, R = f32> {
    pub(super) data: &'a [R],
    quants: &'a [i8],
    scales: &'a [f32],
    pub(super) width: usize,
    pub(super) skip: usize,
}

impl<'a, R> Inputs<'a, R> {
    /// Creates inputs of rows of `width` elements.
    pub const fn new(data: &'a [R], width: usize) -> Self {
        Self { data, quants: &[], scales: &[], width, skip: 0 }
    }

    /// Adds the rows as 8-bit integers, also `width` per row, and the scale of each row.
    #[must_use]
    pub const fn with_quants(self, quants: &'a [i8], scales: &'a [f32]) -> Self {
        Self { quants, scales, ..self }
    }

    /// Ignores the first `skip` elements of each row.
    #[must_use]
    pub const fn skip(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    /// Drops the first `count` rows.
    #[must_use]
    pub fn from(self, count: usize) -> Self {
        let start = count * self.width;
        Self {
            data: from_element(self.data, start),
            quants: from_element(self.quants, start),
            scales: from_element(self.scales, count),
            ..self
        }
    }

    /// Returns the rows in order; an incomplete last row is ignored.
    pub fn iter(&self) -> impl Iterator<Item = &'a [R]> + use<'a, R> {
        let skip = self.skip;
        rows(self.data, self.width).map(move |row| slice(row, skip..))
    }

    /// Returns the rows as 8-bit integers, at most `most` rows.
    pub(super) fn quant_rows(&self, most: usize) -> QuantRows<'a> {
        let data = from_element(self.quants, self.skip);
        QuantRows { data, stride: self.width, most: most.min(self.scales.len()) }
    }

    /// Returns the rows as 8-bit integers, each with its scale, in order.
    pub fn quants(&self) -> impl Iterator<Item = (&'a [i8], f32)> + use<'a, R> {
        let skip = self.skip;
        let rows = rows(self.quants, self.width).map(move |row| slice(row, skip..));
        rows.zip(self.scales.iter().copied())
    }
}

/// Returns the elements from `start` on. An empty slice stays empty, because inputs may have only numbers or
/// only 8-bit integers.
fn from_element<T>(data: &[T], start: usize) -> &[T] {
    if data.is_empty() { data } else { slice(data, start..) }
}

/// At most `most` input rows as 8-bit integers, `stride` elements apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct QuantRows<'a> {
    pub data: &'a [i8],
    pub stride: usize,
    pub most: usize,
}

impl QuantRows<'_> {
    /// Returns the number of rows with at least `width` readable elements, at most [`MAX_TILE_INPUTS`].
    #[allow(dead_code, reason = "not every processor has a kernel for several inputs")]
    pub fn count(&self, width: usize) -> usize {
        let spare = self.data.len().checked_sub(width);
        let count = spare.and_then(|spare| spare.checked_div(self.stride));
        count.map_or(0, |count| count + 1).min(self.most).min(MAX_TILE_INPUTS)
    }
}
