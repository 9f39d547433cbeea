use std::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi32, _mm_loadu_si128, _mm_setzero_si128, _mm_srli_epi16,
    _mm_storeu_si128, _mm_sub_epi32, _mm256_add_epi32, _mm256_and_si256, _mm256_castsi256_si128,
    _mm256_cvtepi8_epi16, _mm256_extracti128_si256, _mm256_hadd_epi32, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_setzero_si256, _mm256_sub_epi8, _mm256_xor_si256,
};

use super::super::{Kernel, MAX_TILE_INPUTS, QuantRows, TILE_OUTPUTS};
use super::Level;
#[cfg(feature = "avx512")]
use super::vnni;
use crate::kernels::{GROUP, GROUP_BYTES};

/// RowIter of weights together: their sums are one register of four integers for each input.
pub const ROWS: usize = 4;
/// Inputs together with AVX2, whose sixteen registers hold eight sums, four rows and an input.
const FEW: usize = 2;
/// The same with AVX-512, which has twice as many.
#[cfg(feature = "avx512")]
const MORE: usize = 4;
/// Elements of 8 bits that are widened at once.
const WIDENED: usize = 16;

/// RowIter of weights in one format, for the instructions of one level.
pub trait Tile {
    /// The sums of the rows `o..o + 4` for `C` inputs, [`excess`](Self::excess) too large, modulo `2^32`.
    ///
    /// # Safety
    /// The level's instructions; the rows, and `C` inputs that lie `stride` apart.
    unsafe fn sums<const C: usize>(&self, o: usize, x: *const i8, stride: usize) -> [__m128i; C];

    /// What the sums of the rows `o..o + 4` are too large by, whatever the input.
    ///
    /// # Safety
    /// As for [`sums`](Self::sums).
    unsafe fn excess(&self, o: usize) -> __m128i;
}

/// Every row of weights, of which there are four at least, with every input, `C` at a time.
pub struct Block<'a, T, const C: usize> {
    weights: T,
    rows: usize,
    x: *const i8,
    stride: usize,
    sums: &'a mut [[i32; TILE_OUTPUTS]],
}

impl<T: Tile, const C: usize> Kernel for Block<'_, T, C> {
    #[inline(always)]
    fn run(self) {
        let Self { weights, rows, x, stride, sums } = self;
        let mut o = 0;
        loop {
            // SAFETY: the kernel runs at the level of its format; `int8` and `int4` have seen to it that
            // there are `rows` rows, at least four and no more than places, and an input for every row of
            // `sums`; `o + 4 ≤ rows`.
            unsafe {
                let excess = weights.excess(o);
                let mut c = 0;
                while c < sums.len() {
                    let x = x.add(c * stride);
                    let places = sums.as_mut_ptr().add(c);
                    if sums.len() - c >= C {
                        put(weights.sums::<C>(o, x, stride), excess, places, o);
                        c += C;
                    } else {
                        put(weights.sums::<1>(o, x, stride), excess, places, o);
                        c += 1;
                    }
                }
            }
            if o + ROWS >= rows {
                return;
            }
            // At the end some rows once more.
            o = (o + ROWS).min(rows - ROWS);
        }
    }
}

/// # Safety
/// SSE2; `C` rows of places, each of which has those from `o` to `o + 4`.
#[inline(always)]
unsafe fn put<const C: usize>(
    sums: [__m128i; C],
    excess: __m128i,
    places: *mut [i32; TILE_OUTPUTS],
    o: usize,
) {
    for (c, sums) in sums.into_iter().enumerate() {
        // SAFETY: the caller's.
        unsafe {
            let place = places.add(c).cast::<i32>().add(o);
            _mm_storeu_si128(place.cast(), _mm_sub_epi32(sums, excess));
        }
    }
}

/// See the portable `int8_tile`.
pub fn int8(
    level: Level,
    weights: &[i8],
    cols: usize,
    rows: usize,
    x: &QuantRows<'_>,
    sums: &mut [[i32; TILE_OUTPUTS]; MAX_TILE_INPUTS],
) -> usize {
    let sums = sums.get_mut(..x.count(cols)).unwrap_or_default();
    let whole = weights.len().checked_div(cols).is_some_and(|there| there >= rows);
    if !whole || !(ROWS..=TILE_OUTPUTS).contains(&rows) || cols < WIDENED || sums.is_empty() {
        return 0;
    }
    let (weights, stride, count, x) = (weights.as_ptr(), x.stride, sums.len(), x.data.as_ptr());
    match level {
        Level::Avx2 => {
            let weights = Int8 { weights, cols };
            level.run(Block::<_, FEW> { weights, rows, x, stride, sums });
        }
        #[cfg(feature = "avx512")]
        Level::Avx512 => {
            let weights = vnni::Int8 { weights, cols };
            // SAFETY: the level exists only where its instructions were found.
            unsafe { super::avx512(Block::<_, MORE> { weights, rows, x, stride, sums }) };
        }
    }
    count
}

/// See the portable `int4_tile`.
pub fn int4(
    level: Level,
    quants: &[u8],
    factors: &[u8],
    cols: usize,
    rows: usize,
    x: &QuantRows<'_>,
    sums: &mut [[i32; TILE_OUTPUTS]; MAX_TILE_INPUTS],
) -> usize {
    let groups = cols.div_ceil(GROUP);
    let there = factors.len().min(quants.len() / GROUP_BYTES).checked_div(groups);
    // AVX2 reads whole groups of inputs.
    let read = if level == Level::Avx2 { groups * GROUP } else { cols };
    let sums = sums.get_mut(..x.count(read)).unwrap_or_default();
    let whole = there.is_some_and(|there| there >= rows);
    if !whole || !(ROWS..=TILE_OUTPUTS).contains(&rows) || sums.is_empty() {
        return 0;
    }
    let (quants, factors) = (quants.as_ptr(), factors.as_ptr());
    let (stride, count, x) = (x.stride, sums.len(), x.data.as_ptr());
    match level {
        Level::Avx2 => {
            let weights = Int4 { quants, factors, groups, cols };
            level.run(Block::<_, FEW> { weights, rows, x, stride, sums });
        }
        #[cfg(feature = "avx512")]
        Level::Avx512 => {
            let weights = vnni::Int4 { quants, factors, groups, cols };
            // SAFETY: the level exists only where its instructions were found.
            unsafe { super::avx512(Block::<_, MORE> { weights, rows, x, stride, sums }) };
        }
    }
    count
}

/// RowIter of 8-bit integers, at least 16 of them, widened to 16 bits.
struct Int8 {
    weights: *const i8,
    cols: usize,
}

impl Tile for Int8 {
    #[inline(always)]
    unsafe fn sums<const C: usize>(&self, o: usize, x: *const i8, stride: usize) -> [__m128i; C] {
        let cols = self.cols;
        let whole = cols - cols % WIDENED;
        // SAFETY: the caller's; `i + 16 ≤ columns` in the loop. The last columns are read with those in
        // front of them, of which the inputs are taken for zero.
        unsafe {
            let w = self.weights.add(o * cols);
            let mut parts = [[_mm256_setzero_si256(); ROWS]; C];
            let mut i = 0;
            while i < whole {
                widened(&mut parts, w.add(i), cols, x.add(i), stride, _mm256_set1_epi8(-1));
                i += WIDENED;
            }
            if whole < cols {
                let i = cols - WIDENED;
                let mask = _mm_loadu_si128(LAST.as_ptr().add(cols - whole).cast());
                let mask = _mm256_cvtepi8_epi16(mask);
                widened(&mut parts, w.add(i), cols, x.add(i), stride, mask);
            }
            let mut sums = [_mm_setzero_si128(); C];
            for c in 0..C {
                sums[c] = totals(parts[c]);
            }
            sums
        }
    }

    #[inline(always)]
    unsafe fn excess(&self, _: usize) -> __m128i {
        // SAFETY: the caller's.
        unsafe { _mm_setzero_si128() }
    }
}

/// Sixteen columns more, of the inputs those in the mask.
///
/// # Safety
/// AVX2; sixteen elements can be read of each of the four rows, `columns` apart, and of each of the `C`
/// inputs, `stride` apart.
#[inline(always)]
unsafe fn widened<const C: usize>(
    parts: &mut [[__m256i; ROWS]; C],
    w: *const i8,
    cols: usize,
    x: *const i8,
    stride: usize,
    mask: __m256i,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut row = [_mm256_setzero_si256(); ROWS];
        for r in 0..ROWS {
            row[r] = _mm256_cvtepi8_epi16(_mm_loadu_si128(w.add(r * cols).cast()));
        }
        for c in 0..C {
            let x = _mm_loadu_si128(x.add(c * stride).cast());
            let x = _mm256_and_si256(_mm256_cvtepi8_epi16(x), mask);
            for r in 0..ROWS {
                parts[c][r] = _mm256_add_epi32(parts[c][r], _mm256_madd_epi16(row[r], x));
            }
        }
    }
}

/// From `n` on: sixteen bytes of which the last `n` have all bits.
const LAST: [i8; 2 * WIDENED] = {
    let mut mask = [0; 2 * WIDENED];
    let mut i = WIDENED;
    while i < 2 * WIDENED {
        mask[i] = -1;
        i += 1;
    }
    mask
};

/// From `32 - n` on: a group of bytes of which the first `n` have all bits.
const FIRST: [i8; 2 * GROUP] = {
    let mut mask = [0; 2 * GROUP];
    let mut i = 0;
    while i < GROUP {
        mask[i] = -1;
        i += 1;
    }
    mask
};

/// RowIter of groups of 4-bit integers. An input `x` becomes `x + 128`, from 0 to 255, for the product of bytes
/// without and with a sign; the products of 128 are the excess. Pairs stay below `2·255·8 < 2^12`, so that
/// two of them times a factor fit 32 bits.
struct Int4 {
    quants: *const u8,
    factors: *const u8,
    groups: usize,
    cols: usize,
}

impl Int4 {
    /// The sums; or the excess, for one input that is all zero, whatever `x` is.
    ///
    /// # Safety
    /// As for [`Tile::sums`]; inputs have whole groups.
    #[inline(always)]
    unsafe fn shifted<const C: usize, const EXCESS: bool>(
        &self,
        o: usize,
        x: *const i8,
        stride: usize,
    ) -> [__m128i; C] {
        let Self { groups, cols, .. } = *self;
        // SAFETY: the caller's; what is behind the last column is taken for zero.
        unsafe {
            let (eight, low) = (_mm256_set1_epi8(8), _mm256_set1_epi8(15));
            let sign = _mm256_set1_epi8(i8::MIN);
            let mut parts = [[_mm256_setzero_si256(); ROWS]; C];
            for g in 0..groups {
                let there = (cols - g * GROUP).min(GROUP);
                let mask = _mm256_loadu_si256(FIRST.as_ptr().add(GROUP - there).cast());
                let mut row = [_mm256_setzero_si256(); ROWS];
                let mut factor = [_mm256_setzero_si256(); ROWS];
                for r in 0..ROWS {
                    let group = (o + r) * groups + g;
                    let bytes = _mm_loadu_si128(self.quants.add(group * GROUP_BYTES).cast());
                    // Columns 0 to 15 are in the low halves, 16 to 31 in the high ones.
                    let halves = _mm256_set_m128i(_mm_srli_epi16::<4>(bytes), bytes);
                    let shifted = _mm256_xor_si256(_mm256_and_si256(halves, low), eight);
                    row[r] = _mm256_sub_epi8(shifted, eight);
                    factor[r] = _mm256_set1_epi16(i16::from(*self.factors.add(group)));
                }
                for c in 0..C {
                    let x = if EXCESS {
                        sign
                    } else {
                        let x = _mm256_loadu_si256(x.add(c * stride + g * GROUP).cast());
                        _mm256_xor_si256(_mm256_and_si256(x, mask), sign)
                    };
                    for r in 0..ROWS {
                        let pairs = _mm256_maddubs_epi16(x, row[r]);
                        let products = _mm256_madd_epi16(pairs, factor[r]);
                        parts[c][r] = _mm256_add_epi32(parts[c][r], products);
                    }
                }
            }
            let mut sums = [_mm_setzero_si128(); C];
            for c in 0..C {
                sums[c] = totals(parts[c]);
            }
            sums
        }
    }
}

impl Tile for Int4 {
    #[inline(always)]
    unsafe fn sums<const C: usize>(&self, o: usize, x: *const i8, stride: usize) -> [__m128i; C] {
        // SAFETY: the caller's.
        unsafe { self.shifted::<C, false>(o, x, stride) }
    }

    #[inline(always)]
    unsafe fn excess(&self, o: usize) -> __m128i {
        // SAFETY: the caller's; no input is read.
        let [excess] = unsafe { self.shifted::<1, true>(o, [].as_ptr(), 0) };
        excess
    }
}

/// The sum of each of four registers.
///
/// # Safety
/// AVX2.
#[inline(always)]
unsafe fn totals([a, b, c, d]: [__m256i; ROWS]) -> __m128i {
    // SAFETY: the caller's.
    unsafe {
        let four = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        _mm_add_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256::<1>(four))
    }
}
