//! Where the numbers of tensors and buffers lie on the device.
//!
//! dfdx keeps a tensor's buffer to itself, but a tensor, its buffer and cudarc's slice in it are all
//! [`Debug`], so the address and the length are read out of the formatted text, which is cut off right
//! behind them. The versions of both crates are fixed exactly, and a text without these numbers is a
//! panic, so another layout cannot go unnoticed.

use std::fmt::{Debug, Write};
use std::marker::PhantomData;

use cudarc::driver::{CudaSlice, DevicePtr, DevicePtrMut, DeviceSlice};
use dfdx::dtypes::Unit;
use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Cuda, Tensor};

/// A run of elements on the device, to be read by kernels that are queued while their owner is borrowed.
///
/// Memory is freed in the order of the device's one stream, so it outlives every kernel that was queued
/// before.
#[derive(Debug)]
pub struct Span<'a, E = f32> {
    address: u64,
    count: usize,
    owner: PhantomData<&'a [E]>,
}

/// The same, to be written to.
#[derive(Debug)]
pub struct SpanMut<'a, E = f32> {
    address: u64,
    count: usize,
    owner: PhantomData<&'a mut [E]>,
}

impl<E> Clone for Span<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Span<'_, E> {}

impl<'a, E: Unit> Span<'a, E> {
    /// The elements of a row-major tensor.
    ///
    /// # Panics
    /// If there are fewer than the shape says, as in a broadcast view.
    pub fn of<S: Shape>(tensor: &'a Tensor<S, E, Cuda>) -> Self {
        let place = Place::of(tensor);
        let count = tensor.shape().num_elements();
        assert_eq!(place.count, count, "a tensor is not row-major");
        Self { address: place.address, count, owner: PhantomData }
    }
}

impl<E> Span<'_, E> {
    /// The address of the first element.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// How many elements there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// What lies behind the first `count` elements.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn after(self, count: usize) -> Self {
        assert!(count <= self.count, "{count} elements of {}", self.count);
        let address = self.address + (count * size_of::<E>()) as u64;
        Self { address, count: self.count - count, ..self }
    }
}

impl<'a, E> From<&'a CudaSlice<E>> for Span<'a, E> {
    fn from(slice: &'a CudaSlice<E>) -> Self {
        Self { address: *slice.device_ptr(), count: slice.len(), owner: PhantomData }
    }
}

impl<'a> SpanMut<'a> {
    /// The elements of a row-major tensor that shares them with no other.
    ///
    /// # Panics
    /// As [`Span::of`].
    pub fn of<S: Shape>(tensor: &'a mut Tensor<S, f32, Cuda>) -> Self {
        let Span { address, count, .. } = Span::of(tensor);
        Self { address, count, owner: PhantomData }
    }
}

impl<'a, E> SpanMut<'a, E> {
    /// The address of the first element.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// How many elements there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// To be read.
    pub fn as_span(&self) -> Span<'_, E> {
        Span { address: self.address, count: self.count, owner: PhantomData }
    }

    /// The same for a shorter time.
    pub fn reborrow(&mut self) -> SpanMut<'_, E> {
        SpanMut { address: self.address, count: self.count, owner: PhantomData }
    }

    /// What lies behind the first `count` elements.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn after(self, count: usize) -> Self {
        let Span { address, count, .. } = self.as_span().after(count);
        Self { address, count, owner: PhantomData }
    }
}

impl<'a, E> From<&'a mut CudaSlice<E>> for SpanMut<'a, E> {
    fn from(slice: &'a mut CudaSlice<E>) -> Self {
        Self { address: *slice.device_ptr_mut(), count: slice.len(), owner: PhantomData }
    }
}

/// What the text of a tensor tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The address of the buffer.
    pub address: u64,
    /// The elements in it.
    pub count: usize,
    /// The number of the device.
    pub device: usize,
}

impl Place {
    /// Where the elements of `tensor` lie.
    ///
    /// # Panics
    /// If its text has another form than dfdx 0.13.0 and cudarc 0.9.15 give it.
    pub fn of(tensor: &impl Debug) -> Self {
        let mut head = Head::default();
        // An error is how the head says that it has all that it needs.
        let _ = write!(head, "{tensor:?}");
        let number = |name| head.number(name);
        let place = || {
            Some(Self {
                address: number(" cu_device_ptr: ")?,
                count: number(" len: ")? as usize,
                device: number(LAST)? as usize,
            })
        };
        place().unwrap_or_else(|| panic!("the buffer of a tensor is unknown: {}", head.text()))
    }
}

/// The last number that is looked for.
const LAST: &str = " cu_device: ";

/// The beginning of a text, up to [`LAST`] and its number.
struct Head {
    bytes: [u8; 256],
    length: usize,
}

impl Default for Head {
    fn default() -> Self {
        Self { bytes: [0; 256], length: 0 }
    }
}

impl Head {
    fn text(&self) -> &str {
        let text = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// The number behind `name`, if all of it is there.
    fn number(&self, name: &str) -> Option<u64> {
        let (_, rest) = self.text().split_once(name)?;
        rest.split_once([',', ' ']).and_then(|(number, _)| number.parse().ok())
    }
}

impl Write for Head {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let rest = self.bytes.get_mut(self.length..).unwrap_or_default();
        let fits = rest.get_mut(..text.len()).ok_or(std::fmt::Error)?;
        fits.copy_from_slice(text.as_bytes());
        self.length += text.len();
        // Each name and each number is written on its own: a comma ends the number.
        let complete = text.starts_with(',') && self.number(LAST).is_some();
        if complete { Err(std::fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As dfdx and cudarc derive it.
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
            panic!("the text goes on behind what is needed");
        }
    }

    #[test]
    fn address_length_and_device_are_read_and_nothing_behind_them() {
        let device = CudaDevice { cu_device: 3, stream: 0 };
        let data = CudaSlice { cu_device_ptr: u64::MAX, len: 12_345, device };
        let tensor = Tensor { id: 7, data: Buffer { data }, rest: Rest };
        let expected = Place { address: u64::MAX, count: 12_345, device: 3 };
        assert_eq!(Place::of(&tensor), expected);
    }

    #[test]
    #[should_panic(expected = "the buffer of a tensor is unknown")]
    fn another_layout_is_refused() {
        let _ = Place::of(&CudaDevice { cu_device: 3, stream: 0 });
    }
}
