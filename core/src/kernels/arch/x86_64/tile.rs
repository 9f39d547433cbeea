//! A tile of outputs of a matrix of integers: some rows of weights with several inputs.

use std::arch::x86_64::{__m128i, _mm_storeu_si128, _mm_sub_epi32};

use crate::kernels::kernel::{Kernel, TILE_OUTPUTS};

/// Rows of weights together: their sums are one register of four integers for each input.
pub const ROWS: usize = 4;

/// Rows of weights in one format, for the instructions of one level.
pub trait Tile {
    /// The sums of the rows `o..o + 4` for `C` inputs, plus [`excess`](Self::excess), modulo `2^32`.
    ///
    /// # Safety
    /// The level's instructions; the rows, and `C` inputs that lie `stride` apart.
    unsafe fn sums<const C: usize>(&self, o: usize, x: *const i8, stride: usize) -> [__m128i; C];

    /// The excess of the sums of the rows `o..o + 4`; it does not depend on the input.
    ///
    /// # Safety
    /// As for [`sums`](Self::sums).
    unsafe fn excess(&self, o: usize) -> __m128i;
}

/// Every row of weights, of which there are four at least, with every input, `C` at a time.
pub struct Block<'a, T, const C: usize> {
    pub weights: T,
    pub rows: usize,
    pub x: *const i8,
    pub stride: usize,
    pub sums: &'a mut [[i32; TILE_OUTPUTS]],
}

impl<T: Tile, const C: usize> Kernel for Block<'_, T, C> {
    #[inline(always)]
    fn run(self) {
        let Self { weights, rows, x, stride, sums } = self;
        let mut o = 0;
        loop {
            // SAFETY: the kernel runs at the level of its format; `int8` and `int4` have checked that
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
        // SAFETY: the caller guarantees it.
        unsafe {
            let place = places.add(c).cast::<i32>().add(o);
            _mm_storeu_si128(place.cast(), _mm_sub_epi32(sums, excess));
        }
    }
}
