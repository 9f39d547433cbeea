//! Tiles of outputs of an integer matrix: products of several rows of weights with several inputs.

use std::arch::x86_64::{__m128i, _mm_storeu_si128, _mm_sub_epi32};

use crate::kernels::kernel::{Kernel, TILE_OUTPUTS};

/// Number of rows of weights computed together: their sums are one register of four integers per input.
pub const ROWS: usize = 4;

/// Rows of weights in one format, for the instructions of one level.
pub trait Tile {
    /// Returns the sums of the rows `o..o + 4` for `C` inputs plus the [`excess`](Self::excess), modulo `2^32`.
    ///
    /// # Safety
    /// Requires the instruction sets of the level; the rows and `C` inputs, `stride` apart, must be readable.
    unsafe fn sums<const C: usize>(&self, o: usize, x: *const i8, stride: usize) -> [__m128i; C];

    /// Returns the excess of the sums of the rows `o..o + 4`, which does not depend on the input.
    ///
    /// # Safety
    /// The same as for [`sums`](Self::sums), without inputs.
    unsafe fn excess(&self, o: usize) -> __m128i;
}

/// Computes the sums of every row of weights, at least four, with every input, `C` inputs at a time.
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
            // SAFETY: the kernel runs at the level of `T`; `int8` and `int4` have checked that there are `rows`
            // rows of weights, from four to `TILE_OUTPUTS`, and an input for every row of `sums`; `o + 4 ≤ rows`.
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
            // The last step recomputes some rows if their number is not a multiple of four.
            o = (o + ROWS).min(rows - ROWS);
        }
    }
}

/// Stores the sums, minus the excess, as the outputs `o..o + 4` of `C` inputs.
///
/// # Safety
/// Requires SSE2; `C` rows of `places` must be writable, and `o + 4 ≤ TILE_OUTPUTS`.
#[inline(always)]
unsafe fn put<const C: usize>(
    sums: [__m128i; C],
    excess: __m128i,
    places: *mut [i32; TILE_OUTPUTS],
    o: usize,
) {
    for (c, sums) in sums.into_iter().enumerate() {
        // SAFETY: guaranteed by the caller.
        unsafe {
            let place = places.add(c).cast::<i32>().add(o);
            _mm_storeu_si128(place.cast(), _mm_sub_epi32(sums, excess));
        }
    }
}
