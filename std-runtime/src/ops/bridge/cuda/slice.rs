//! Where the elements of tensors and buffers lie on the device.
//!
//! dfdx does not show a tensor's buffer to other crates, but a tensor, its buffer, and cudarc's slice in it
//! are all [`Debug`], so address and length are read out of the formatted text, which is cut off right after
//! them. The versions of both crates are fixed exactly, and a text without these numbers is a panic, so
//! another layout cannot go unnoticed.

use std::fmt::{Debug, Write};
use std::marker::PhantomData;

use cudarc::driver::{CudaSlice, DevicePtr, DevicePtrMut, DeviceSlice as _};
use dfdx::dtypes::Unit;
use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Cuda, Tensor};

use crate::ops::bridge::Skip;

/// Elements in device memory, to be read by kernels that are queued while their owner is borrowed.
///
/// Memory is freed in the order of the device's one stream, so it outlives every kernel that was queued
/// before.
#[derive(Debug)]
pub struct DeviceSlice<'a, E = f32> {
    address: u64,
    len: usize,
    owner: PhantomData<&'a [E]>,
}

/// Elements in device memory, to be written by kernels.
#[derive(Debug)]
pub struct DeviceSliceMut<'a, E = f32> {
    address: u64,
    len: usize,
    owner: PhantomData<&'a mut [E]>,
}

impl<E> Clone for DeviceSlice<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for DeviceSlice<'_, E> {}

impl<'a, E: Unit> DeviceSlice<'a, E> {
    /// Borrows the elements of a row-major tensor.
    ///
    /// # Panics
    /// If there are fewer than the shape says, as in a broadcast view.
    pub fn of<S: Shape>(tensor: &'a Tensor<S, E, Cuda>) -> Self {
        let place = Place::of(tensor);
        let len = tensor.shape().num_elements();
        assert_eq!(place.len, len, "a tensor is not row-major");
        Self { address: place.address, len, owner: PhantomData }
    }
}

impl<E> DeviceSlice<'_, E> {
    /// The address of the first element.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// The number of elements.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks whether there are none")]
    pub fn len(&self) -> usize {
        self.len
    }
}

impl<E> Skip for DeviceSlice<'_, E> {
    /// # Panics
    /// If there are fewer elements.
    fn skip(self, count: usize) -> Self {
        assert!(count <= self.len, "{count} elements of {}", self.len);
        let address = self.address + (count * size_of::<E>()) as u64;
        Self { address, len: self.len - count, ..self }
    }
}

impl<'a, E> From<&'a CudaSlice<E>> for DeviceSlice<'a, E> {
    fn from(slice: &'a CudaSlice<E>) -> Self {
        Self { address: *slice.device_ptr(), len: slice.len(), owner: PhantomData }
    }
}

impl<'a> DeviceSliceMut<'a> {
    /// Borrows the elements of a row-major tensor that shares them with no other.
    ///
    /// # Panics
    /// As [`DeviceSlice::of`].
    pub fn of<S: Shape>(tensor: &'a mut Tensor<S, f32, Cuda>) -> Self {
        let DeviceSlice { address, len, .. } = DeviceSlice::of(tensor);
        Self { address, len, owner: PhantomData }
    }
}

impl<E> DeviceSliceMut<'_, E> {
    /// The address of the first element.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// The number of elements.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks whether there are none")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Borrows the elements to read them.
    pub fn as_slice(&self) -> DeviceSlice<'_, E> {
        DeviceSlice { address: self.address, len: self.len, owner: PhantomData }
    }

    /// Borrows the elements for a shorter time.
    pub fn reborrow(&mut self) -> DeviceSliceMut<'_, E> {
        DeviceSliceMut { address: self.address, len: self.len, owner: PhantomData }
    }
}

impl<E> DeviceSliceMut<'_, E> {
    /// Forgets whom the elements are borrowed from. The caller sees to it that their owner lives, and lends
    /// them to nobody else, for as long as the result is used.
    pub(super) fn detached<'b>(&self) -> DeviceSliceMut<'b, E> {
        DeviceSliceMut { address: self.address, len: self.len, owner: PhantomData }
    }
}

impl<E> Skip for DeviceSliceMut<'_, E> {
    /// # Panics
    /// If there are fewer elements.
    fn skip(self, count: usize) -> Self {
        let DeviceSlice { address, len, .. } = self.as_slice().skip(count);
        Self { address, len, owner: PhantomData }
    }
}

impl<'a, E> From<&'a mut CudaSlice<E>> for DeviceSliceMut<'a, E> {
    fn from(slice: &'a mut CudaSlice<E>) -> Self {
        Self { address: *slice.device_ptr_mut(), len: slice.len(), owner: PhantomData }
    }
}

/// What the text of a tensor tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The address of the buffer.
    pub address: u64,
    /// The number of elements in it.
    pub len: usize,
    /// The device's ordinal.
    pub device: usize,
}

impl Place {
    /// Finds the elements of `tensor`.
    ///
    /// # Panics
    /// If its text has another form than dfdx 0.13.0 and cudarc 0.9.15 give it.
    pub fn of(tensor: &impl Debug) -> Self {
        let mut head = Head::default();
        // The head stops the formatting with an error once it has all that it needs.
        let _ = write!(head, "{tensor:?}");
        let number = |name| head.number(name);
        let place = || {
            Some(Self {
                address: number(" cu_device_ptr: ")?,
                len: number(" len: ")? as usize,
                device: number(LAST)? as usize,
            })
        };
        place().unwrap_or_else(|| panic!("the buffer of a tensor is unknown: {}", head.text()))
    }
}

/// The name of the last number that is looked for.
const LAST: &str = " cu_device: ";

/// The beginning of a text, up to [`LAST`] and its number.
struct Head {
    bytes: [u8; 256],
    len: usize,
}

impl Default for Head {
    fn default() -> Self {
        Self { bytes: [0; 256], len: 0 }
    }
}

impl Head {
    fn text(&self) -> &str {
        let text = self.bytes.get(..self.len).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// Returns the number after `name`, if all of it is there.
    fn number(&self, name: &str) -> Option<u64> {
        let (_, rest) = self.text().split_once(name)?;
        rest.split_once([',', ' ']).and_then(|(number, _)| number.parse().ok())
    }
}

impl Write for Head {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let rest = self.bytes.get_mut(self.len..).unwrap_or_default();
        let fits = rest.get_mut(..text.len()).ok_or(std::fmt::Error)?;
        fits.copy_from_slice(text.as_bytes());
        self.len += text.len();
        // Each name and each number is written on its own: a comma ends the number.
        let complete = text.starts_with(',') && self.number(LAST).is_some();
        if complete { Err(std::fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields that dfdx and cudarc derive `Debug` from.
    #[derive(Debug)]
    #[allow(dead_code)]
    struct Tensor {
        id: u32,
        data: Buffer,
        rest: Rest,
    }

    #[derive(Debug)]
    #[allow(dead_code)]
    struct Buffer {
        data: CudaSlice,
    }

    #[derive(Debug)]
    #[allow(dead_code)]
    struct CudaSlice {
        cu_device_ptr: u64,
        len: usize,
        device: CudaDevice,
    }

    #[derive(Debug)]
    #[allow(dead_code)]
    struct CudaDevice {
        cu_device: i32,
        stream: usize,
    }

    struct Rest;

    impl Debug for Rest {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("formatted beyond what is needed");
        }
    }

    #[test]
    fn address_length_and_device_are_read_and_nothing_after_them() {
        let device = CudaDevice { cu_device: 3, stream: 0 };
        let data = CudaSlice { cu_device_ptr: u64::MAX, len: 12_345, device };
        let tensor = Tensor { id: 7, data: Buffer { data }, rest: Rest };
        let expected = Place { address: u64::MAX, len: 12_345, device: 3 };
        assert_eq!(Place::of(&tensor), expected);
    }

    #[test]
    #[should_panic(expected = "the buffer of a tensor is unknown")]
    fn another_layout_is_refused() {
        let _ = Place::of(&CudaDevice { cu_device: 3, stream: 0 });
    }
}
