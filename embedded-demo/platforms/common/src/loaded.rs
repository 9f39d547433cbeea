//! A file that the emulator has put into memory before the start: its length at `address`, its bytes
//! [`OFFSET`] behind. Without one the memory is zero.

/// Where the bytes begin, so that they are aligned as a model file must be.
const OFFSET: usize = 16;

/// The file at `address`; empty if there is none.
///
/// # Safety
/// From `address` on there is memory that nothing else uses.
pub unsafe fn loaded(address: usize) -> &'static [u8] {
    let length = core::ptr::with_exposed_provenance::<u32>(address);
    // SAFETY: the caller says that this is memory, and that nobody writes to it.
    unsafe {
        let bytes = core::ptr::with_exposed_provenance::<u8>(address + OFFSET);
        core::slice::from_raw_parts(bytes, length.read_volatile() as usize)
    }
}
