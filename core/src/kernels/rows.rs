/// Returns the rows of a matrix: consecutive slices of `width` elements of `data`.
///
/// An incomplete row at the end is ignored. Unlike `chunks_exact` it does not panic for width 0: there are no
/// rows.
///
/// ```
/// use expe_core::internals::rows;
/// assert!(rows(&[1, 2, 3, 4, 5], 2).eq([[1, 2], [3, 4]]));
/// assert!(rows(&[1, 2, 3, 4, 5], 0).next().is_none());
/// ```
#[inline(always)]
pub const fn rows<T>(data: &[T], width: usize) -> RowIter<'_, T> {
    RowIter { data, width }
}

/// Like [`rows`], mutable.
///
/// ```
/// use expe_core::internals::rows_mut;
/// let mut data = [1, 2, 3, 4];
/// rows_mut(&mut data, 2).nth(1).unwrap().fill(9);
/// assert_eq!(data, [1, 2, 9, 9]);
/// ```
#[inline(always)]
pub const fn rows_mut<T>(data: &mut [T], width: usize) -> RowIterMut<'_, T> {
    RowIterMut { data, width }
}

/// The iterator that [`rows`] returns.
#[derive(Debug, Clone, Copy)]
pub struct RowIter<'a, T> {
    data: &'a [T],
    width: usize,
}

impl<'a, T> Iterator for RowIter<'a, T> {
    type Item = &'a [T];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a [T]> {
        let (row, rest) = self.data.split_at_checked(self.width)?;
        self.data = rest;
        if row.is_empty() { None } else { Some(row) }
    }

    fn nth(&mut self, index: usize) -> Option<&'a [T]> {
        let data = index.checked_mul(self.width).and_then(|start| self.data.get(start..));
        self.data = data.unwrap_or(&[]);
        self.next()
    }
}

impl<T> RowIter<'_, T> {
    /// Returns the number of remaining rows.
    pub(super) const fn len(&self) -> usize {
        whole_rows(self.data.len(), self.width)
    }
}

/// Returns the number of complete rows of `width` elements in `len` elements; 0 for width 0.
const fn whole_rows(len: usize, width: usize) -> usize {
    match len.checked_div(width) {
        Some(rows) => rows,
        None => 0,
    }
}

/// The iterator that [`rows_mut`] returns.
#[derive(Debug)]
pub struct RowIterMut<'a, T> {
    data: &'a mut [T],
    width: usize,
}

impl<T> RowIterMut<'_, T> {
    /// Returns the number of remaining rows.
    pub(super) const fn len(&self) -> usize {
        whole_rows(self.data.len(), self.width)
    }
}

impl<'a, T> Iterator for RowIterMut<'a, T> {
    type Item = &'a mut [T];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a mut [T]> {
        let (row, rest) = core::mem::take(&mut self.data).split_at_mut_checked(self.width)?;
        self.data = rest;
        if row.is_empty() { None } else { Some(row) }
    }

    fn nth(&mut self, index: usize) -> Option<&'a mut [T]> {
        let data = core::mem::take(&mut self.data);
        let data = index.checked_mul(self.width).and_then(|start| data.get_mut(start..));
        self.data = data.unwrap_or_default();
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn rows_match_chunks_exact() {
        for len in 0..20usize {
            let mut data: Vec<usize> = (0..len).collect();
            for width in 1..8 {
                let mut copy = data.clone();
                for skip in 0..6 {
                    let expected = || data.chunks_exact(width).skip(skip);
                    assert!(rows(&data, width).skip(skip).eq(expected()));
                    assert!(rows_mut(&mut copy, width).skip(skip).eq(expected()));
                }
            }
            assert!(rows_mut(&mut data, 0).nth(3).is_none());
            assert!(rows(&data, usize::MAX).nth(usize::MAX).is_none());
        }
    }
}
