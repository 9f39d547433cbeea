//! What the fused operations see of dfdx's tensors: slices.
#![allow(unsafe_code)]

use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Cpu, CpuError, Gradients, Tape, Tensor, TensorFromVec};

use crate::ops::profile::{Operation, Pass, timed};

/// The gradients of a backward pass.
pub type Slopes = Gradients<f32, Cpu>;

/// Index of a tensor's last element, if there is one, and whether the address of each of the
/// elements next to the first is that of a row-major layout.
fn layout<S: Shape, T>(tensor: &Tensor<S, f32, Cpu, T>) -> Option<S::Concrete> {
    let sizes = tensor.shape().concrete();
    let count = tensor.shape().num_elements();
    if count == 0 {
        return None;
    }
    let address = |index: S::Concrete| std::ptr::from_ref(&tensor[index]) as usize;
    let first = S::Concrete::default();
    let (mut last, mut stride) = (first, size_of::<f32>());
    for axis in (0..S::NUM_DIMS).rev() {
        if sizes[axis] > 1 {
            let mut next = first;
            next[axis] = 1;
            assert_eq!(address(next) - address(first), stride, "a tensor is not row-major");
        }
        stride *= sizes[axis];
        last[axis] = sizes[axis] - 1;
    }
    assert_eq!(address(last) - address(first), (count - 1) * size_of::<f32>());
    Some(first)
}

/// The elements of a row-major tensor.
///
/// # Panics
/// If the tensor is a transposed or broadcast view.
pub fn values<S: Shape, T>(tensor: &Tensor<S, f32, Cpu, T>) -> &[f32] {
    match layout(tensor) {
        // SAFETY: `layout` found the elements to be one run from the first to the last, all of them
        // inside the tensor's one buffer (dfdx's indexing checks that), which lives as long as the
        // tensor is borrowed, and which nobody writes to meanwhile: that needs `&mut`.
        Some(first) => unsafe {
            std::slice::from_raw_parts(&raw const tensor[first], tensor.shape().num_elements())
        },
        None => &[],
    }
}

/// The elements of a row-major tensor, to be changed.
///
/// # Panics
/// As [`values`].
pub fn values_mut<S: Shape>(tensor: &mut Tensor<S, f32, Cpu>) -> &mut [f32] {
    match layout(tensor) {
        // SAFETY: as in `values`; `IndexMut` makes the buffer this tensor's own before it hands out
        // a reference, and the tensor is borrowed exclusively.
        Some(first) => unsafe {
            let count = tensor.shape().num_elements();
            std::slice::from_raw_parts_mut(&raw mut tensor[first], count)
        },
        None => &mut [],
    }
}

/// A tensor of `values` in row-major order.
///
/// The device's cache of allocations must be disabled, as [`Backend`](crate::device::Backend) says:
/// dfdx leaks a buffer that comes from outside when it is enabled.
pub fn tensor<S: Shape>(
    device: &Cpu,
    shape: S,
    values: Vec<f32>,
) -> Result<Tensor<S, f32, Cpu>, CpuError> {
    device.try_tensor_from_vec(values, shape)
}

/// Record the backward pass of an operation.
pub fn record<T: Tape<f32, Cpu>>(
    tape: &mut T,
    operation: Operation,
    backward: impl FnOnce(&mut Slopes) -> Result<(), CpuError> + 'static,
) {
    tape.add_backward_op(move |slopes| timed(operation, Pass::Backward, || backward(slopes)));
}

/// Take the gradient of `tensor` out of `slopes`, zero if there was none; [`put`] it back.
///
/// Several gradients can be held that way; the same one taken twice is empty the second time, and
/// sizes are checked by what reads it.
pub fn take<S: Shape>(
    slopes: &mut Slopes,
    tensor: &Tensor<S, f32, Cpu>,
) -> Result<Vec<f32>, CpuError> {
    Ok(std::mem::take(&mut **slopes.get_or_alloc_mut(tensor)?))
}

/// Put back what [`take`] gave.
pub fn put<S: Shape>(
    slopes: &mut Slopes,
    tensor: &Tensor<S, f32, Cpu>,
    gradient: Vec<f32>,
) -> Result<(), CpuError> {
    **slopes.get_or_alloc_mut(tensor)? = gradient;
    Ok(())
}

/// `count` numbers that are all about to be written.
pub fn scratch(count: usize) -> Vec<f32> {
    vec![0.0; count]
}
