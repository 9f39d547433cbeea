//! The elements of dfdx's tensors as slices.
#![allow(unsafe_code)]

use dfdx::dtypes::Unit;
use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Cpu, Tensor};

/// Returns the index of a tensor's first element, if it has any.
///
/// dfdx does not show a tensor's strides to other crates: what is compared are the addresses of the elements
/// next to the first one, and of the last one, with those of a row-major layout.
///
/// # Panics
/// If they differ.
fn row_major<S: Shape, E: Unit, T>(tensor: &Tensor<S, E, Cpu, T>) -> Option<S::Concrete> {
    let sizes = tensor.shape().concrete();
    let count = tensor.shape().num_elements();
    if count == 0 {
        return None;
    }
    let address = |index: S::Concrete| std::ptr::from_ref(&tensor[index]) as usize;
    let first = S::Concrete::default();
    let (mut last, mut stride) = (first, size_of::<E>());
    for axis in (0..S::NUM_DIMS).rev() {
        if sizes[axis] > 1 {
            let mut next = first;
            next[axis] = 1;
            assert_eq!(address(next) - address(first), stride, "a tensor is not row-major");
        }
        stride *= sizes[axis];
        last[axis] = sizes[axis] - 1;
    }
    assert_eq!(address(last) - address(first), (count - 1) * size_of::<E>());
    Some(first)
}

/// Borrows the elements of a row-major tensor.
///
/// # Panics
/// If the tensor is a transposed or broadcast view.
pub fn elements<S: Shape, E: Unit, T>(tensor: &Tensor<S, E, Cpu, T>) -> &[E] {
    match row_major(tensor) {
        // SAFETY: `row_major` found the elements to be one run from the first to the last, all of them inside
        // the tensor's one buffer (dfdx's indexing checks that), which lives as long as the tensor is borrowed,
        // and which nobody writes to meanwhile: that needs `&mut`.
        Some(first) => unsafe {
            std::slice::from_raw_parts(&raw const tensor[first], tensor.shape().num_elements())
        },
        None => &[],
    }
}

/// Borrows the elements of a row-major tensor to write to.
///
/// # Panics
/// As [`elements`].
pub fn elements_mut<S: Shape>(tensor: &mut Tensor<S, f32, Cpu>) -> &mut [f32] {
    match row_major(tensor) {
        // SAFETY: as in `elements`; `IndexMut` makes the buffer this tensor's own before it hands out a
        // reference, and the tensor is borrowed exclusively.
        Some(first) => unsafe {
            let count = tensor.shape().num_elements();
            std::slice::from_raw_parts_mut(&raw mut tensor[first], count)
        },
        None => &mut [],
    }
}

#[cfg(test)]
mod tests {
    use dfdx::shapes::{Axes2, Axis};
    use dfdx::tensor_ops::{BroadcastTo, PermuteTo};

    use super::*;
    use crate::ops::bridge::tensor;

    #[test]
    fn elements_are_those_of_the_tensor_in_row_major_order() {
        let values: Vec<f32> = (0..6).map(|x| x as f32).collect();
        let mut matrix = tensor(&Cpu::default(), (2, 3), &values).unwrap();
        assert_eq!(elements(&matrix), values);
        let shared = matrix.clone();
        elements_mut(&mut matrix)[4] = 7.0;
        assert_eq!((matrix.as_vec()[4], shared.as_vec()[4]), (7.0, 4.0));
        let empty = tensor::<_, f32, _>(&Cpu::default(), (2, 0), &[]).unwrap();
        assert!(elements(&empty).is_empty());
    }

    #[test]
    #[should_panic(expected = "not row-major")]
    fn a_transposed_view_is_refused() {
        let matrix = tensor(&Cpu::default(), (2, 3), &[0.0_f32; 6]).unwrap();
        let _ = elements(&matrix.permute::<(usize, usize), Axes2<1, 0>>());
    }

    #[test]
    #[should_panic(expected = "not row-major")]
    fn a_broadcast_view_is_refused() {
        let vector = tensor(&Cpu::default(), (3,), &[0.0_f32; 3]).unwrap();
        let _ = elements(&vector.broadcast_like::<_, Axis<0>>(&(2, 3)));
    }
}
