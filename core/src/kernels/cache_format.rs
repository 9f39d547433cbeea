use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::{F16, F32, I8, Stored, quantize_bf16};

/// How a [`KvCache`](crate::KvCache) stores keys and values: [`F32`], [`F16`] or [`I8`].
pub trait CacheFormat: Stored<Bits: FromBytes + IntoBytes + Immutable> {
    /// Whether each head's key or value is stored with a bfloat16 scale.
    const SCALED: bool;

    /// Stores a row and returns the bits of its scale, or 0 if the format has no scales.
    fn store(row: &[f32], stored: &mut [Self::Bits]) -> u16;
}

impl CacheFormat for F32 {
    const SCALED: bool = false;

    fn store(row: &[f32], stored: &mut [f32]) -> u16 {
        for (stored, x) in stored.iter_mut().zip(row) {
            *stored = *x;
        }
        0
    }
}

/// Numbers beyond the largest half, 65 504, saturate.
impl CacheFormat for F16 {
    const SCALED: bool = false;

    fn store(row: &[f32], stored: &mut [u16]) -> u16 {
        const LARGEST: u16 = 0x7bff;
        for (stored, x) in stored.iter_mut().zip(row) {
            let sign = (x.to_bits() >> 16) as u16 & 0x8000;
            *stored = F16::narrow(*x).unwrap_or(sign | LARGEST);
        }
        0
    }
}

/// 8-bit integers with one scale per position and key/value head.
impl CacheFormat for I8 {
    const SCALED: bool = true;

    fn store(row: &[f32], stored: &mut [i8]) -> u16 {
        quantize_bf16(row, stored)
    }
}
