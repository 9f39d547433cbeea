use super::Rows;

impl<T, const C: usize, const N: usize> Rows<T> for heapless::Vec<[T; C], N> {
    fn count(&self) -> usize {
        self.len()
    }

    fn row_mut(&mut self, index: usize) -> Option<&mut [T]> {
        self.get_mut(index).map(<[T; C]>::as_mut_slice)
    }
}
