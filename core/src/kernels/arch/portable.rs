//! Where there are no kernels for the processor.

#[inline(always)]
pub const fn sums_int8(_: &[i8], _: usize, _: &[i8], _: &mut [i32]) -> bool {
    false
}

#[inline(always)]
pub const fn sums_int4(_: &[u8], _: &[u8], _: usize, _: &[i8], _: &mut [i32]) -> bool {
    false
}
