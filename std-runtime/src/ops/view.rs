//! Matrices inside runs of memory, as products take them.

use super::bridge::{Bridge, Skip};

/// A matrix to read: `rows` rows of `cols` elements that begin `stride` elements apart, or its transpose.
#[derive(Debug, Clone, Copy)]
pub struct View<S> {
    /// The memory, which begins with the first element.
    pub data: S,
    /// Rows before transposing.
    pub rows: usize,
    /// Columns before transposing.
    pub cols: usize,
    /// Distance of rows before transposing.
    pub stride: usize,
    /// Whether the transpose is meant.
    pub transposed: bool,
}

impl<S> View<S> {
    /// Creates a view of `rows` rows of `cols` elements that begin `stride` elements apart.
    pub fn new(data: S, rows: usize, cols: usize, stride: usize) -> Self {
        Self { data, rows, cols, stride, transposed: false }
    }

    /// Transposes the view.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    /// Returns rows and columns after transposing.
    pub fn size(&self) -> (usize, usize) {
        match self.transposed {
            false => (self.rows, self.cols),
            true => (self.cols, self.rows),
        }
    }
}

/// A row-major matrix to write: `rows` rows of `cols` elements that begin `stride` elements apart.
#[derive(Debug)]
pub struct ViewMut<S> {
    /// The memory, which begins with the first element.
    pub data: S,
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Distance of rows.
    pub stride: usize,
}

impl<S> ViewMut<S> {
    /// Creates a view of `rows` rows of `cols` elements that begin `stride` elements apart.
    pub fn new(data: S, rows: usize, cols: usize, stride: usize) -> Self {
        Self { data, rows, cols, stride }
    }
}

/// What a product does to its destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Overwrites it.
    Set,
    /// Adds to it.
    Add,
}

/// Numbers that are a factor of a product: as they are, or rounded to `f16`.
pub enum Operand<'a, D: Bridge> {
    /// `f32`.
    Single(D::Slice<'a>),
    /// Rounded.
    Half(D::HalfSlice<'a>),
}

impl<D: Bridge> Clone for Operand<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D: Bridge> Copy for Operand<'_, D> {}

impl<D: Bridge> Skip for Operand<'_, D> {
    fn skip(self, count: usize) -> Self {
        match self {
            Self::Single(slice) => Self::Single(slice.skip(count)),
            Self::Half(slice) => Self::Half(slice.skip(count)),
        }
    }
}

impl<D: Bridge> std::fmt::Debug for Operand<'_, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Single(_) => "Single",
            Self::Half(_) => "Half",
        })
    }
}
