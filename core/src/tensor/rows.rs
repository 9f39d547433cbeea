/// Rows of elements: a matrix whose rows are contiguous, whoever owns it.
///
/// Implemented for slices and arrays of arrays, for [`Flat`] (a plain slice with a row width), for
/// `heapless::Vec<[T; C], N>` (feature `heapless`) and for two-dimensional `ndarray` arrays and
/// views (feature `ndarray`).
///
/// ```
/// use expe_core::tensor::{Flat, Rows};
/// let mut data = [0.0f32; 6];
/// let mut rows = Flat::new(&mut data, 3);
/// rows.row_mut(1).unwrap().fill(1.0);
/// assert_eq!((rows.count(), data), (2, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]));
/// ```
pub trait Rows<T> {
    /// Number of rows.
    fn count(&self) -> usize;

    /// Row `index`; `None` past the last one, or where its elements are not contiguous in memory.
    fn row_mut(&mut self, index: usize) -> Option<&mut [T]>;
}

impl<T, const C: usize> Rows<T> for [[T; C]] {
    fn count(&self) -> usize {
        self.len()
    }

    fn row_mut(&mut self, index: usize) -> Option<&mut [T]> {
        self.get_mut(index).map(<[T; C]>::as_mut_slice)
    }
}

impl<T, const C: usize, const R: usize> Rows<T> for [[T; C]; R] {
    fn count(&self) -> usize {
        R
    }

    fn row_mut(&mut self, index: usize) -> Option<&mut [T]> {
        self.get_mut(index).map(<[T; C]>::as_mut_slice)
    }
}

/// A slice of rows of `width` elements; an incomplete row at the end is ignored.
#[derive(Debug)]
pub struct Flat<'a, T> {
    data: &'a mut [T],
    width: usize,
}

impl<'a, T> Flat<'a, T> {
    /// Divides `data` into rows of `width` elements.
    pub fn new(data: &'a mut [T], width: usize) -> Self {
        Self { data, width }
    }
}

impl<T> Rows<T> for Flat<'_, T> {
    fn count(&self) -> usize {
        self.data.len().checked_div(self.width).unwrap_or(0)
    }

    fn row_mut(&mut self, index: usize) -> Option<&mut [T]> {
        let start = index.checked_mul(self.width)?;
        self.data.get_mut(start..start.checked_add(self.width)?)
    }
}
