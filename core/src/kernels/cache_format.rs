use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{F16, F32, I8, Stored, quantize_bf16};

/// How a [`KvCache`](crate::KvCache) stores keys and values: [`F32`], [`F16`] or [`I8`].
pub trait CacheFormat: Stored<Bits: FromBytes + IntoBytes + Immutable> {
    /// Whether each head's key or value has a scale, a bfloat16, beside it.
    const SCALED: bool;

    /// Stores a row and returns the bits of its scale (0 without one).
    fn store(row: &[f32], place: &mut [Self::Bits]) -> u16;
}

impl CacheFormat for F32 {
    const SCALED: bool = false;

    fn store(row: &[f32], place: &mut [f32]) -> u16 {
        for (place, x) in place.iter_mut().zip(row) {
            *place = *x;
        }
        0
    }
}

/// Numbers past the largest half, 65 504, become that.
impl CacheFormat for F16 {
    const SCALED: bool = false;

    fn store(row: &[f32], place: &mut [u16]) -> u16 {
        const LARGEST: u16 = 0x7bff;
        for (place, x) in place.iter_mut().zip(row) {
            let sign = (x.to_bits() >> 16) as u16 & 0x8000;
            *place = F16::narrow(*x).unwrap_or(sign | LARGEST);
        }
        0
    }
}

/// 8-bit integers with one scale per position and kv head.
impl CacheFormat for I8 {
    const SCALED: bool = true;

    fn store(row: &[f32], place: &mut [i8]) -> u16 {
        quantize_bf16(row, place)
    }
}
