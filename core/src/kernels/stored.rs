/// A storage format of weights, which are widened exactly to `f32`.
pub trait Stored {
    /// One stored weight.
    type Bits: Copy + core::fmt::Debug;

    /// Returns the value of a stored weight.
    fn widen(bits: Self::Bits) -> f32;

    /// Returns the weights tagged with their format, for kernels written for one format; `None` for a format
    /// without such kernels.
    fn stored_slice(bits: &[Self::Bits]) -> Option<StoredSlice<'_>> {
        let _ = bits;
        None
    }
}

/// Stored weights tagged with their format; see [`Stored::stored_slice`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum StoredSlice<'a> {
    /// [`F32`].
    F32(&'a [f32]),
    /// [`F16`].
    F16(&'a [u16]),
    /// [`Bf16`].
    Bf16(&'a [u16]),
    /// [`I8`].
    I8(&'a [i8]),
}

/// Weights stored as `f32`.
#[derive(Debug, Clone, Copy)]
pub struct F32;

impl Stored for F32 {
    type Bits = f32;

    #[inline(always)]
    fn widen(bits: f32) -> f32 {
        bits
    }
    #[inline(always)]
    fn stored_slice(bits: &[f32]) -> Option<StoredSlice<'_>> {
        Some(StoredSlice::F32(bits))
    }
}

/// Weights stored as the bits of IEEE 754 half-precision numbers.
///
/// All must be finite, which the check of the model file guarantees; the conversion then needs no branch and
/// vectorizes.
#[derive(Debug, Clone, Copy)]
pub struct F16;

/// `2^112`: converts the exponent bias of half precision, 15, to that of single precision, 127.
const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
/// The same difference of biases in the exponent field of an `f32`.
const REBIAS_BITS: u32 = 112 << 23;
/// The bits of the `f32` `2^-14`, the smallest normal half.
const SMALLEST_NORMAL: u32 = (127 - 14) << 23;

impl Stored for F16 {
    type Bits = u16;

    /// Exact in the processor's default mode. In a mode that flushes subnormal numbers to zero, halves below
    /// 2^-14 become zero.
    #[inline(always)]
    fn widen(bits: u16) -> f32 {
        // Shifts sign, exponent and fraction to their single-precision positions. The arithmetic shift copies
        // the sign into the three new exponent bits, which the mask clears. The value is too small by a factor of 2^112.
        let moved = ((u32::from(bits) << 16) as i32 >> 3) as u32 & 0x8fff_e000;
        f32::from_bits(moved) * REBIAS
    }
    #[inline(always)]
    fn stored_slice(bits: &[u16]) -> Option<StoredSlice<'_>> {
        Some(StoredSlice::F16(bits))
    }
}

/// Weights stored as the bits of bfloat16 numbers, the upper halves of `f32`s.
#[derive(Debug, Clone, Copy)]
pub struct Bf16;

impl Stored for Bf16 {
    type Bits = u16;

    #[inline(always)]
    fn widen(bits: u16) -> f32 {
        f32::from_bits(u32::from(bits) << 16)
    }
    #[inline(always)]
    fn stored_slice(bits: &[u16]) -> Option<StoredSlice<'_>> {
        Some(StoredSlice::Bf16(bits))
    }
}

impl Bf16 {
    /// Returns whether the stored weight is neither infinite nor NaN.
    #[inline(always)]
    pub const fn is_finite(bits: u16) -> bool {
        bits & 0x7f80 != 0x7f80
    }

    /// Rounds `x` to the nearest bfloat16, ties to even; `None` if it is not finite.
    pub const fn narrow(x: f32) -> Option<u16> {
        let bits = x.to_bits();
        let even = bits >> 16 & 1;
        let rounded = (bits.saturating_add(0x7fff + even) >> 16) as u16;
        if Self::is_finite(rounded) && bits & 0x7f80_0000 != 0x7f80_0000 {
            Some(rounded)
        } else {
            None
        }
    }

    /// Rounds a finite `x ≥ 0` up to a bfloat16; saturates at the largest finite one.
    pub const fn above(x: f32) -> u16 {
        let rounded = x.to_bits().saturating_add(0xffff) >> 16;
        if rounded < 0x7f7f { rounded as u16 } else { 0x7f7f }
    }
}

/// 8-bit integers, whose scale is stored separately.
#[derive(Debug, Clone, Copy)]
pub struct I8;

impl Stored for I8 {
    type Bits = i8;

    #[inline(always)]
    fn widen(bits: i8) -> f32 {
        f32::from(bits)
    }
    #[inline(always)]
    fn stored_slice(bits: &[i8]) -> Option<StoredSlice<'_>> {
        Some(StoredSlice::I8(bits))
    }
}

impl F16 {
    /// Returns whether the stored weight is neither infinite nor NaN.
    #[inline(always)]
    pub const fn is_finite(bits: u16) -> bool {
        bits & 0x7c00 != 0x7c00
    }

    /// Rounds `x` to the nearest half, ties to even; `None` if it is not finite.
    pub const fn narrow(x: f32) -> Option<u16> {
        let bits = x.to_bits();
        let sign = (bits >> 16) as u16 & 0x8000;
        let magnitude = bits & 0x7fff_ffff;
        // Halfway between the largest half, 65504, and the next power of two.
        if magnitude >= 0x477f_f000 {
            return None;
        }
        let rounded = if magnitude >= SMALLEST_NORMAL {
            let even = (magnitude >> 13) & 1;
            (magnitude.wrapping_sub(REBIAS_BITS) + 0xfff + even) >> 13
        } else {
            // Near 0.5 the spacing of f32 is 2^-24, the same as that of subnormal halves: the addition rounds
            // to even and leaves the bits of the half at the bottom.
            let half = (f32::from_bits(magnitude) + 0.5).to_bits();
            half.wrapping_sub(0.5f32.to_bits())
        };
        Some(sign | rounded as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f16_widen_matches_the_half_crate() {
        for bits in 0..=u16::MAX {
            let reference = half::f16::from_bits(bits);
            assert_eq!(F16::is_finite(bits), reference.is_finite());
            if reference.is_finite() {
                assert_eq!(F16::widen(bits).to_bits(), reference.to_f32().to_bits());
            }
        }
    }

    #[test]
    fn bf16_narrow_matches_the_half_crate() {
        let mut random = crate::num::Random::new(1);
        for _ in 0..200_000 {
            let x = f32::from_bits(random.next_u32());
            let reference = half::bf16::from_f32(x);
            let expected = reference.is_finite().then_some(reference.to_bits());
            assert_eq!(Bf16::narrow(x), expected, "{x:e}");
            let above = Bf16::widen(Bf16::above(x.abs()));
            if x.abs() < 3.3e38 {
                assert!(above >= x.abs() && above <= x.abs() * 1.0079 + 1e-40, "{x:e} {above:e}");
            }
        }
    }

    #[test]
    fn f16_narrow_matches_the_half_crate() {
        let check = |x: f32| {
            let reference = half::f16::from_f32(x);
            let expected = reference.is_finite().then_some(reference.to_bits());
            assert_eq!(F16::narrow(x), expected, "{x:e}");
        };
        // Every half, the midpoint between it and the next one, and the neighbors of both.
        for bits in 0..0x7c00u16 {
            let low = half::f16::from_bits(bits).to_f32();
            let high = half::f16::from_bits(bits + 1).to_f32().min(65536.0);
            let middle = (low + high) / 2.0;
            for x in [low, low.next_up(), middle.next_down(), middle, middle.next_up()] {
                check(x);
                check(-x);
            }
        }
        for x in [f32::NAN, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-40] {
            check(x);
            check(-x);
        }
    }
}
