//! Input rows of a matrix product, as numbers and as 8-bit integers.

use super::kernel::MAX_TILE_INPUTS;
use super::rows::rows;
use crate::num::invariant::slice;

/// Input rows of a matrix product: rows of `width` numbers, of which the first `skip` are left out,
/// and for matrices of integers the same rows as 8-bit integers with a scale each.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a, R = f32> {
    pub(super) data: &'a [R],
    quants: &'a [i8],
    scales: &'a [f32],
    pub(super) width: usize,
    pub(super) skip: usize,
}

impl<'a, R> Inputs<'a, R> {
    /// Whole rows of `width` elements.
    pub const fn new(data: &'a [R], width: usize) -> Self {
        Self { data, quants: &[], scales: &[], width, skip: 0 }
    }

    /// The same rows with their 8-bit integers, also `width` a row, and the scale of each row.
    #[must_use]
    pub const fn with_quants(self, quants: &'a [i8], scales: &'a [f32]) -> Self {
        Self { quants, scales, ..self }
    }

    /// The same rows without their first `skip` elements.
    #[must_use]
    pub const fn skip(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    /// The same rows without the first `count` of them.
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

    /// The rows, in order; an incomplete last row is left out.
    pub fn iter(&self) -> impl Iterator<Item = &'a [R]> + use<'a, R> {
        let skip = self.skip;
        rows(self.data, self.width).map(move |row| slice(row, skip..))
    }

    /// The rows as 8-bit integers, up to `most` of them.
    pub(super) fn quant_rows(&self, most: usize) -> QuantRows<'a> {
        let data = from_element(self.quants, self.skip);
        QuantRows { data, stride: self.width, most: most.min(self.scales.len()) }
    }

    /// The rows as 8-bit integers, each with its scale, in order.
    pub fn quants(&self) -> impl Iterator<Item = (&'a [i8], f32)> + use<'a, R> {
        let skip = self.skip;
        let rows = rows(self.quants, self.width).map(move |row| slice(row, skip..));
        rows.zip(self.scales.iter().copied())
    }
}

/// Returns the elements from `start` on. An empty slice stays empty: inputs have numbers, 8-bit integers or
/// both.
fn from_element<T>(data: &[T], start: usize) -> &[T] {
    if data.is_empty() { data } else { slice(data, start..) }
}

/// Up to `most` input rows as 8-bit integers, `stride` elements apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct QuantRows<'a> {
    pub data: &'a [i8],
    pub stride: usize,
    pub most: usize,
}

impl QuantRows<'_> {
    /// Returns the number of rows of which `width` elements can be read, up to [`MAX_TILE_INPUTS`].
    #[allow(dead_code, reason = "not every processor has a kernel for several inputs")]
    pub fn count(&self, width: usize) -> usize {
        let spare = self.data.len().checked_sub(width);
        let count = spare.and_then(|spare| spare.checked_div(self.stride));
        count.map_or(0, |count| count + 1).min(self.most).min(MAX_TILE_INPUTS)
    }
}
