use ndarray::{ArrayBase, Axis, DataMut, Ix2};

use super::Rows;

impl<T, S: DataMut<Elem = T>> Rows<T> for ArrayBase<S, Ix2> {
    fn count(&self) -> usize {
        self.nrows()
    }

    fn row_mut(&mut self, index: usize) -> Option<&mut [T]> {
        if index >= self.nrows() {
            return None;
        }
        self.index_axis_mut(Axis(0), index).into_slice()
    }
}
