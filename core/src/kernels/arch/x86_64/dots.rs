use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_and_ps, _mm256_castpd_ps, _mm256_castps_pd, _mm256_loadu_ps,
    _mm256_mul_ps, _mm256_permute2f128_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm256_unpackhi_pd,
    _mm256_unpackhi_ps, _mm256_unpacklo_pd, _mm256_unpacklo_ps,
};

use super::load::{LANES, Load, prefetch};
use crate::kernels::inputs::Inputs;
use crate::kernels::kernel::Kernel;
use crate::kernels::stored::F32;

/// Number of bytes of weights that stay in the second-level cache while all inputs are processed.
const BLOCK_BYTES: usize = 20 << 10;
/// Number of rows of weights computed together.
const ROWS: usize = 4;
/// Number of long `f32` rows whose sums are computed one after the other for a single input.
///
/// Weights are then read in memory order, which the processor prefetches by itself, and a single sum keeps up with
/// memory. Short rows come from a cache, and narrower weights arrive faster than a single sum can be computed.
const ROWS_IN_TURN: usize = 8;
/// Smallest number of columns of a long row.
const LONG: usize = 96;

/// The dot products of every row of weights with every input row, bit-identical to the portable `dot`.
///
/// Up to `C` input rows are computed together. Each dot product of a tile has one register of eight partial sums.
/// The leading `cols % 8` products are computed from the first eight columns with the other inputs set to zero. At
/// the end eight registers are transposed, so that the partial sums of eight results are added in order at once.
pub struct Dots<'a, L: Load, const C: usize> {
    weights: &'a [L::Bits],
    cols: usize,
    /// Number of rows of weights that have an output.
    rows: usize,
    inputs: &'a [f32],
    input_width: usize,
    input_rows: usize,
    outputs: &'a mut [f32],
    outs: usize,
    add: bool,
}

impl<'a, L: Load, const C: usize> Dots<'a, L, C> {
    /// Returns `None` for slices without whole rows of the right length, or for rows shorter than a register.
    pub fn new(
        weights: &'a [L::Bits],
        cols: usize,
        inputs: &Inputs<'a>,
        outputs: &'a mut [f32],
        outs: usize,
        add: bool,
    ) -> Option<Self> {
        let rows = weights.len().checked_div(cols)?.min(outs);
        let whole = inputs.data.len().checked_div(inputs.width)?;
        let input_rows = whole.min(outputs.len().checked_div(outs)?);
        if inputs.width.checked_sub(inputs.skip)? < cols || cols < LANES {
            return None;
        }
        let (input_width, inputs) = (inputs.width, inputs.data.get(inputs.skip..)?);
        Some(Self { weights, cols, rows, inputs, input_width, input_rows, outputs, outs, add })
    }
}

impl<L: Load, const C: usize> Kernel for Dots<'_, L, C> {
    #[inline(always)]
    fn run(self) {
        let Self { cols, rows, input_rows, input_width, outs, add, .. } = self;
        let row_bytes = cols.saturating_mul(size_of::<L::Bits>()).max(1);
        let block = (BLOCK_BYTES / row_bytes).max(1).next_multiple_of(ROWS);
        let block = if input_rows <= C { rows } else { block };
        let mut first = 0;
        while first < rows {
            let end = first.saturating_add(block).min(rows);
            let mut input = 0;
            while input < input_rows {
                let count = (input_rows - input).min(C);
                // SAFETY: `input` is below the number of input rows, each of which begins inside the slice
                // and has a row of outputs.
                let group = unsafe {
                    Group::<L> {
                        weights: self.weights.as_ptr(),
                        cols,
                        x: self.inputs.as_ptr().add(input * input_width),
                        x_stride: input_width,
                        y: self.outputs.as_mut_ptr().add(input * outs),
                        y_stride: outs,
                        add,
                    }
                };
                // SAFETY: kernels run at a level, which has AVX2 and F16C; `new` has checked that there are
                // `rows` rows of weights, that each row of outputs has `rows` elements, and that an input row
                // has `cols` elements after the skipped ones.
                unsafe {
                    match count {
                        5 if C >= 5 => group.rows::<ROWS, 5>(first, end),
                        4 if C >= 4 => group.rows::<ROWS, 4>(first, end),
                        3 if C >= 3 => group.rows::<ROWS, 3>(first, end),
                        2 => group.rows::<ROWS, 2>(first, end),
                        _ if size_of::<L::Bits>() == size_of::<f32>() && cols >= LONG => {
                            group.rows::<ROWS_IN_TURN, 1>(first, end);
                        }
                        _ => group.rows::<ROWS, 1>(first, end),
                    }
                }
                input += count;
            }
            first = end;
        }
    }
}

/// Input rows that are computed together, and their outputs.
struct Group<L: Load> {
    weights: *const L::Bits,
    cols: usize,
    x: *const f32,
    x_stride: usize,
    y: *mut f32,
    y_stride: usize,
    add: bool,
}

impl<L: Load> Group<L> {
    /// Computes the outputs `first..end` of `C` input rows, `R` at a time.
    ///
    /// # Safety
    /// Requires AVX2 and F16C, `end` rows of weights, `C` rows of `x` of `cols` elements (at least eight), and
    /// `C` rows of `y` of `end` elements.
    #[inline(always)]
    unsafe fn rows<const R: usize, const C: usize>(&self, first: usize, end: usize) {
        let mut o = first;
        // SAFETY: guaranteed by the caller; `o + R ≤ end` in the first loop and `o < end` in the second.
        unsafe {
            while o + R <= end {
                self.tile::<R, C>(o);
                o += R;
            }
            if o < end && end >= R && !self.add {
                // Recomputes some outputs instead of computing the rest one by one.
                return self.tile::<R, C>(end - R);
            }
            while o < end {
                self.tile::<1, C>(o);
                o += 1;
            }
        }
    }

    /// Computes the outputs `o..o + R` of `C` input rows.
    ///
    /// # Safety
    /// The same as for [`rows`](Self::rows), with `o + R` rows.
    #[inline(always)]
    unsafe fn tile<const R: usize, const C: usize>(&self, o: usize) {
        let Self { cols, x, x_stride, y_stride, add, .. } = *self;
        let odd = cols % LANES;
        // SAFETY: guaranteed by the caller; there are at least eight columns, `i + 8 ≤ cols` in the loops because
        // `cols - i` is a multiple of eight, and result `k < R·C` is output `k % R` of input row `k / R`.
        unsafe {
            let w = self.weights.add(o * cols);
            let mut sums = [[_mm256_setzero_ps(); R]; C];
            if odd > 0 {
                for c in 0..C {
                    let x = _mm256_and_ps(F32::load(x.add(c * x_stride)), first_lanes(odd));
                    for r in 0..R {
                        let products = _mm256_mul_ps(L::load(w.add(r * cols)), x);
                        sums[c][r] = _mm256_add_ps(sums[c][r], products);
                    }
                }
            }
            let mut i = odd;
            if (R, C) == (ROWS_IN_TURN, 1) {
                for r in 0..R {
                    i = odd;
                    while i < cols {
                        let products =
                            _mm256_mul_ps(L::load(w.add(r * cols + i)), F32::load(x.add(i)));
                        sums[0][r] = _mm256_add_ps(sums[0][r], products);
                        i += LANES;
                    }
                }
            }
            while i < cols {
                let mut weights = [_mm256_setzero_ps(); R];
                for r in 0..R {
                    weights[r] = L::load(w.add(r * cols + i));
                }
                if C == 1 {
                    prefetch(w.wrapping_add(R * i), R * LANES);
                }
                for c in 0..C {
                    let x = F32::load(x.add(c * x_stride + i));
                    for r in 0..R {
                        sums[c][r] = _mm256_add_ps(sums[c][r], _mm256_mul_ps(weights[r], x));
                    }
                }
                i += LANES;
            }
            let mut first = 0;
            while first < R * C {
                let mut eight = [_mm256_setzero_ps(); LANES];
                for k in 0..LANES {
                    if first + k < R * C {
                        eight[k] = sums[(first + k) / R][(first + k) % R];
                    }
                }
                let totals = add_cols(&eight);
                let mut results = [0.0f32; LANES];
                _mm256_storeu_ps(results.as_mut_ptr(), totals);
                for k in 0..LANES {
                    if first + k < R * C {
                        let y = self.y.add((first + k) / R * y_stride + o + (first + k) % R);
                        *y = if add { *y + results[k] } else { results[k] };
                    }
                }
                first += LANES;
            }
        }
    }
}

/// Returns a mask of the first `count` lanes.
///
/// # Safety
/// Requires AVX and `count ≤ 8`.
#[inline(always)]
unsafe fn first_lanes(count: usize) -> __m256 {
    const MASK: [u32; 2 * LANES] = {
        let mut mask = [0; 2 * LANES];
        let mut i = 0;
        while i < LANES {
            mask[i] = u32::MAX;
            i += 1;
        }
        mask
    };
    // SAFETY: guaranteed by the caller; reads eight of the 16 elements, from `8 - count` on.
    unsafe { _mm256_loadu_ps(MASK.as_ptr().add(LANES - count).cast()) }
}

/// Returns `rows[k][0] + … + rows[k][7]` for every `k`, added in this order.
///
/// # Safety
/// Requires AVX2.
#[inline(always)]
unsafe fn add_cols(rows: &[__m256; LANES]) -> __m256 {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let [a, b, c, d, e, f, g, h] = *rows;
        // Two rows each: columns 0, 1 and 4, 5; columns 2, 3 and 6, 7.
        let (ab, ab2) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let (cd, cd2) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        let (ef, ef2) = (_mm256_unpacklo_ps(e, f), _mm256_unpackhi_ps(e, f));
        let (gh, gh2) = (_mm256_unpacklo_ps(g, h), _mm256_unpackhi_ps(g, h));
        // Four rows each: columns j and j + 4.
        let upper = [low(ab, cd), high(ab, cd), low(ab2, cd2), high(ab2, cd2)];
        let lower = [low(ef, gh), high(ef, gh), low(ef2, gh2), high(ef2, gh2)];
        let mut totals = _mm256_setzero_ps();
        for j in 0..4 {
            totals = _mm256_add_ps(totals, _mm256_permute2f128_ps::<0x20>(upper[j], lower[j]));
        }
        for j in 0..4 {
            totals = _mm256_add_ps(totals, _mm256_permute2f128_ps::<0x31>(upper[j], lower[j]));
        }
        totals
    }
}

/// Interleaves the low halves of each 128-bit lane, as pairs of floats.
///
/// # Safety
/// Requires AVX.
#[inline(always)]
unsafe fn low(a: __m256, b: __m256) -> __m256 {
    // SAFETY: guaranteed by the caller.
    unsafe { _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b))) }
}

/// Interleaves the high halves of each 128-bit lane, as pairs of floats.
///
/// # Safety
/// Requires AVX.
#[inline(always)]
unsafe fn high(a: __m256, b: __m256) -> __m256 {
    // SAFETY: guaranteed by the caller.
    unsafe { _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b))) }
}
