use super::arch;
use super::dot_quants::{GROUP, GROUP_BYTES, INT4_MAX_COLS, INT8_MAX_COLS, unpack_group};
use super::inputs::{Inputs, QuantRows};
use super::kernel::{MAX_TILE_INPUTS, TILE_OUTPUTS};
use super::matvec::{matvec, matvec_add};
use super::rows::{RowIterMut, rows, rows_mut};
use super::stored::{Bf16, F16, F32, Stored};
use super::sums::{sums_int4, sums_int8};
use crate::num::invariant::{slice, slice_mut};

/// The elements of a matrix in one of the storage formats of weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Weights<'a> {
    /// Single precision.
    F32(&'a [f32]),
    /// Half precision, as bits; all values must be finite.
    F16(&'a [u16]),
    /// bfloat16, as bits; all values must be finite.
    Bf16(&'a [u16]),
    /// 8-bit integers: `W[o, i] = scales[o]·quants[o, i]`.
    Int8 {
        /// One per row.
        scales: &'a [f32],
        /// Row by row.
        quants: &'a [i8],
    },
    /// 4-bit integers in groups of [`GROUP`] columns: `W[o, i] = scales[o]·factors[o, i/32]·quants[o, i]`.
    Int4 {
        /// One per row.
        scales: &'a [f32],
        /// One per row and group.
        factors: &'a [u8],
        /// [`GROUP_BYTES`] per row and group.
        quants: &'a [u8],
    },
}

/// A weight matrix `[rows, cols]` in row-major order, which maps inputs of `cols` elements to outputs of `rows`
/// elements.
///
/// Integer matrices multiply 8-bit inputs: `y_o = Σ_i quants[o, i]·x_i`, exact in 32 bits, times the scales of
/// the row and of the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matrix<'a> {
    weights: Weights<'a>,
    rows: usize,
    cols: usize,
}

impl<'a> Matrix<'a> {
    /// Creates a matrix from its weights.
    ///
    /// `None` if the length of a slice does not match `rows` and `cols`, or if an integer sum could overflow 32
    /// bits (see [`INT8_MAX_COLS`] and [`INT4_MAX_COLS`]).
    pub fn new(weights: Weights<'a>, rows: usize, cols: usize) -> Option<Self> {
        let count = rows.checked_mul(cols)?;
        let fits = match weights {
            Weights::F32(weights) => weights.len() == count,
            Weights::F16(weights) | Weights::Bf16(weights) => weights.len() == count,
            Weights::Int8 { scales, quants } => {
                scales.len() == rows && quants.len() == count && cols <= INT8_MAX_COLS
            }
            Weights::Int4 { scales, factors, quants } => {
                let groups = rows.checked_mul(cols.div_ceil(GROUP))?;
                let bytes = groups.checked_mul(GROUP_BYTES)?;
                let whole = factors.len() == groups && quants.len() == bytes;
                scales.len() == rows && whole && cols <= INT4_MAX_COLS
            }
        };
        fits.then_some(Self { weights, rows, cols })
    }

    /// Returns the number of rows, the width of an output.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the number of columns, the width of an input.
    pub const fn cols(&self) -> usize {
        self.cols
    }

    /// Returns the stored elements.
    pub const fn weights(&self) -> Weights<'a> {
        self.weights
    }

    /// Returns whether the matrix multiplies 8-bit inputs.
    pub const fn is_integer(&self) -> bool {
        matches!(self.weights, Weights::Int8 { .. } | Weights::Int4 { .. })
    }

    /// Computes `y_r = W·x_r` for every input row `x_r`; see [`matvec`].
    pub fn apply(&self, inputs: Inputs<'_>, outputs: &mut [f32]) {
        match self.weights {
            Weights::F32(w) => matvec::<F32>(w, self.cols, inputs, outputs, self.rows),
            Weights::F16(w) => matvec::<F16>(w, self.cols, inputs, outputs, self.rows),
            Weights::Bf16(w) => matvec::<Bf16>(w, self.cols, inputs, outputs, self.rows),
            Weights::Int8 { .. } | Weights::Int4 { .. } => {
                self.each_sum(inputs, outputs, |outputs, sums, scales, input| {
                    for ((y, sum), row) in outputs.iter_mut().zip(sums).zip(scales) {
                        *y = *sum as f32 * (row * input);
                    }
                });
            }
        }
    }

    /// Computes `y_r += W·x_r` for every input row `x_r`; see [`matvec_add`].
    pub fn apply_add(&self, inputs: Inputs<'_>, outputs: &mut [f32]) {
        match self.weights {
            Weights::F32(w) => matvec_add::<F32>(w, self.cols, inputs, outputs, self.rows),
            Weights::F16(w) => matvec_add::<F16>(w, self.cols, inputs, outputs, self.rows),
            Weights::Bf16(w) => matvec_add::<Bf16>(w, self.cols, inputs, outputs, self.rows),
            Weights::Int8 { .. } | Weights::Int4 { .. } => {
                self.each_sum(inputs, outputs, |outputs, sums, scales, input| {
                    for ((y, sum), row) in outputs.iter_mut().zip(sums).zip(scales) {
                        *y += *sum as f32 * (row * input);
                    }
                });
            }
        }
    }

    /// Computes the integer sums of all outputs in blocks and calls `put` for each block.
    ///
    /// Its arguments are the outputs of the block, their integer sums, the scales of their rows (three slices of
    /// equal length) and the scale of the input. Does nothing for a matrix of floats.
    #[inline(always)]
    pub fn each_sum<R: Copy, Q>(
        &self,
        inputs: Inputs<'_, R>,
        outputs: &mut [Q],
        mut put: impl FnMut(&mut [Q], &[i32], &[f32], f32),
    ) {
        let scales = match self.weights {
            Weights::Int8 { scales, .. } | Weights::Int4 { scales, .. } => scales,
            Weights::F32(_) | Weights::F16(_) | Weights::Bf16(_) => return,
        };
        // The outer loop is over the weights, so that a block of them is read from memory once for all inputs.
        let mut first = 0usize;
        for scales in scales.chunks(TILE_OUTPUTS) {
            let mut outputs = rows_mut(&mut *outputs, self.rows);
            let end = first + scales.len();
            let inputs = if MAX_TILE_INPUTS > 1 {
                self.tiles(first, scales, inputs, &mut outputs, &mut put)
            } else {
                inputs
            };
            let mut block = [0i32; TILE_OUTPUTS];
            let sums = slice_mut(&mut block, ..scales.len());
            for ((x, input), outputs) in inputs.quants().zip(outputs) {
                if let Some(outputs) = outputs.get_mut(first..end) {
                    self.sums(first, x, sums);
                    put(outputs, sums, scales, input);
                }
            }
            first += TILE_OUTPUTS;
        }
    }

    /// [`each_sum`](Self::each_sum) for one block of outputs, which begins at `first`, with several inputs at a
    /// time where a kernel exists; returns the remaining inputs.
    #[inline(always)]
    fn tiles<'i, R: Copy, Q>(
        &self,
        first: usize,
        scales: &[f32],
        mut inputs: Inputs<'i, R>,
        outputs: &mut RowIterMut<'_, Q>,
        put: &mut impl FnMut(&mut [Q], &[i32], &[f32], f32),
    ) -> Inputs<'i, R> {
        let mut block = [[0i32; TILE_OUTPUTS]; MAX_TILE_INPUTS];
        loop {
            let quants = inputs.quant_rows(outputs.len());
            let count = self.tile(first, scales.len(), &quants, &mut block);
            if count == 0 {
                return inputs;
            }
            for ((sums, (_, input)), outputs) in
                block.iter().take(count).zip(inputs.quants()).zip(&mut *outputs)
            {
                let end = first + scales.len();
                if let (Some(outputs), Some(sums)) =
                    (outputs.get_mut(first..end), sums.get(..scales.len()))
                {
                    put(outputs, sums, scales, input);
                }
            }
            inputs = inputs.from(count);
        }
    }

    /// Computes the integer sums of `rows` rows from `first` on for several inputs.
    ///
    /// Returns the number of inputs: 0 for fewer than two inputs, or if there is no kernel for several.
    #[inline(never)] // one copy for all callers
    fn tile(
        &self,
        first: usize,
        rows: usize,
        x: &QuantRows<'_>,
        sums: &mut [[i32; TILE_OUTPUTS]; MAX_TILE_INPUTS],
    ) -> usize {
        if x.most < 2 {
            return 0;
        }
        match self.weights {
            Weights::Int8 { quants, .. } => {
                let quants = from_row(quants, first, self.cols);
                arch::int8_tile(quants, self.cols, rows, x, sums)
            }
            Weights::Int4 { factors, quants, .. } => {
                let groups = self.cols.div_ceil(GROUP);
                let quants = from_row(quants, first, groups * GROUP_BYTES);
                let factors = from_row(factors, first, groups);
                arch::int4_tile(quants, factors, self.cols, rows, x, sums)
            }
            Weights::F32(_) | Weights::F16(_) | Weights::Bf16(_) => 0,
        }
    }

    /// Returns the largest possible magnitude of an integer sum, for inputs of magnitude at most 127; 0 for a
    /// matrix of floats.
    pub const fn largest_sum(&self) -> u32 {
        let product = match self.weights {
            Weights::Int8 { .. } => 128 * 127,
            Weights::Int4 { .. } => 255 * 8 * 127,
            Weights::F32(_) | Weights::F16(_) | Weights::Bf16(_) => 0,
        };
        self.cols as u32 * product
    }

    /// Computes the integer sums of `sums.len()` rows from `first` on.
    #[inline(never)] // one copy for all callers
    fn sums(&self, first: usize, x: &[i8], sums: &mut [i32]) {
        match self.weights {
            Weights::Int8 { quants, .. } => {
                let quants = from_row(quants, first, self.cols);
                sums_int8(quants, self.cols, x, sums);
            }
            Weights::Int4 { factors, quants, .. } => {
                let groups = self.cols.div_ceil(GROUP);
                let quants = from_row(quants, first, groups * GROUP_BYTES);
                sums_int4(quants, from_row(factors, first, groups), groups, x, sums);
            }
            Weights::F32(_) | Weights::F16(_) | Weights::Bf16(_) => {}
        }
    }

    /// Widens row `index` into `row`; returns whether the row exists.
    pub fn read_row(&self, index: usize, row: &mut [f32]) -> bool {
        match self.weights {
            Weights::F32(weights) => widen::<F32>(weights, self.cols, index, row),
            Weights::F16(weights) => widen::<F16>(weights, self.cols, index, row),
            Weights::Bf16(weights) => widen::<Bf16>(weights, self.cols, index, row),
            Weights::Int8 { .. } | Weights::Int4 { .. } => {
                self.read_quants(index, row, |quant, scale| scale * quant as f32)
            }
        }
    }

    /// Converts row `index` of an integer matrix; returns whether the row exists.
    ///
    /// Every element becomes `value(integer, scale)`, where the integer includes the factor of its group.
    #[inline(always)]
    pub fn read_quants<R>(
        &self,
        index: usize,
        row: &mut [R],
        value: impl Fn(i32, f32) -> R,
    ) -> bool {
        match self.weights {
            Weights::Int8 { scales, quants } => {
                let (Some(scale), Some(quants)) =
                    (scales.get(index), rows(quants, self.cols).nth(index))
                else {
                    return false;
                };
                for (to, quant) in row.iter_mut().zip(quants) {
                    *to = value(i32::from(*quant), *scale);
                }
                true
            }
            Weights::Int4 { scales, factors, quants } => {
                let groups = self.cols.div_ceil(GROUP);
                let bytes = groups * GROUP_BYTES;
                let (Some(scale), Some(factors), Some(quants)) = (
                    scales.get(index),
                    rows(factors, groups).nth(index),
                    rows(quants, bytes).nth(index),
                ) else {
                    return false;
                };
                for ((to, factor), group) in
                    row.chunks_mut(GROUP).zip(factors).zip(rows(quants, GROUP_BYTES))
                {
                    for (to, quant) in to.iter_mut().zip(unpack_group(group)) {
                        *to = value(i32::from(quant) * i32::from(*factor), *scale);
                    }
                }
                true
            }
            Weights::F32(_) | Weights::F16(_) | Weights::Bf16(_) => false,
        }
    }
}

/// Returns the rows from `first` on.
fn from_row<T>(data: &[T], first: usize, width: usize) -> &[T] {
    slice(data, first * width..)
}

/// Widens row `index` into `row`; returns whether the row exists.
fn widen<S: Stored>(weights: &[S::Bits], cols: usize, index: usize, row: &mut [f32]) -> bool {
    let Some(stored) = rows(weights, cols).nth(index) else {
        return false;
    };
    for (value, bits) in row.iter_mut().zip(stored) {
        *value = S::widen(*bits);
    }
    true
}
