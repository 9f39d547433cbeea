use super::arithmetic::Arithmetic;
use super::attention::{Attend, HeadPosition, Past};
use super::bounds::Bounds;
use super::units::{INNER, QUERY_BITS, ROTATION_BITS, SLOPE, WEIGHT};
use super::{DecodeError, Model};
use crate::kernels::integer::{
    FOLDED_LIMIT, FOLDED_UNIT, TERM_SHIFT, add_folded, add_terms, add_weighted_rows, digits,
    distance_bound, dot_folded, gelu, norm, project, project_add, quantize, quantize_bf16, relu,
    softmax, swiglu,
};
use crate::kernels::{Bf16, I8, Inputs, Matrix, Stored, rows, sums_int8};
use crate::num::invariant::{quotient, slice, slice_mut};
use crate::num::{Dyadic, Multiplier, PreparedMultiplier, RowScales, round_shift, saturate};
use crate::position::{MAX_DIGITS, PositionEncoding, PositionError};
use crate::shape::{Activation, Config, Norm};

const UNIT: Multiplier = Multiplier::power_of_two(INNER);
/// Half the range of a score, `2^14`, in units of `2^SLOPE`.
const TERM_LIMIT: u64 = 1 << (14 - SLOPE.0);

/// Integers only: no floating-point instruction between tokens, and the same bits on every target.
///
/// Numbers are 32-bit integers with a fixed binary point: queries, keys, values, inner layers and
/// logits in units of `2^-16`, the residual stream in units that follow from the model's range.
/// Matrices (int8 or int4) act on 8-bit integers, scores are computed to base 2, and positions in 64
/// bits.
///
/// No accumulator can overflow: [`Decoder::integer`](super::Decoder::integer) computes the bound of
/// each from the weights and refuses a model that exceeds one. Two numbers have a worst case far
/// above what text produces and saturate instead: the residual stream, at no less than twice its
/// measured range, and the product of query and key, at `±2^15` powers of two.
#[derive(Debug, Clone, Copy)]
pub struct Integer {
    /// `log2(e)/√d_h`
    scale: Multiplier,
    epsilon: Multiplier,
    bounds: Bounds,
}

impl Arithmetic for Integer {
    type Scalar = i32;
    type PositionWord = u32;

    fn new(model: &Model<'_>) -> Result<Self, DecodeError> {
        let Config { head_width, epsilon, .. } = *model.config();
        let scale = Multiplier::LOG2_E.over(Multiplier::root(head_width as u64));
        Ok(Self { scale, epsilon: Multiplier::from_f32(epsilon), bounds: Bounds::new(model)? })
    }

    fn embed(&self, embed: &Matrix<'_>, token: usize, x: &mut [i32]) {
        let unit = self.bounds.residual;
        embed.read_quants(token, x, |quant, scale| Multiplier::from_f32(scale).apply(quant, unit));
    }

    fn embed_position(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        x: &mut [i32],
    ) -> Result<(), PositionError> {
        position.embed_fixed(n, self.bounds.residual, x)
    }

    fn key_words(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        words: &mut [u32],
    ) -> Result<(), PositionError> {
        position.key_digits(n, words)
    }

    fn query_words(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        words: &mut [u32],
    ) -> Result<(), PositionError> {
        position.query_digits(n, words)?;
        let mut sum = Multiplier::ZERO;
        for (digit, word) in words.iter().enumerate() {
            sum = sum.plus(Multiplier::from_dyadic(value(position, digit, *word)));
        }
        if self.bounds.query_fits(sum) {
            Ok(())
        } else {
            // From here on a query could leave its 32 bits.
            Err(PositionError::BeyondLength { position: n, length: n })
        }
    }

    fn rotation(
        &self,
        position: &impl PositionEncoding,
        n: u32,
        table: &mut [i32],
    ) -> Result<(), PositionError> {
        position.rotation_fixed(n, table)
    }

    fn norm(
        &self,
        config: &Config,
        x: &[i32],
        gain: &[f32],
        y: &mut [i32],
        quants: &mut [i8],
    ) -> f32 {
        let centered = matches!(config.norm, Norm::LayerNorm);
        norm(x, self.bounds.residual, centered, gain, self.epsilon, y, quants)
    }

    fn quantize_attention(&self, x: &[i32], quants: &mut [i8]) -> f32 {
        quantize(x, UNIT, quants)
    }

    fn quantize_inner(&self, x: &[i32], quants: &mut [i8]) -> f32 {
        quantize(x, Multiplier::power_of_two(self.bounds.product), quants)
    }

    fn project(&self, matrix: &Matrix<'_>, inputs: Inputs<'_, i32>, outputs: &mut [i32]) {
        project(matrix, inputs, INNER, outputs);
    }

    fn project_add(&self, matrix: &Matrix<'_>, inputs: Inputs<'_, i32>, x: &mut [i32]) {
        project_add(matrix, inputs, self.bounds.residual, x);
    }

    fn add_folded(
        &self,
        position: &impl PositionEncoding,
        words: &[u32],
        folded: &[f32],
        q: &mut [i32],
    ) {
        let width = q.len();
        for ((digit, word), folded) in words.iter().enumerate().zip(rows(folded, width)) {
            let value = value(position, digit, *word);
            let factor = Multiplier::from_dyadic(value).shifted(FOLDED_UNIT.0);
            let factor = PreparedMultiplier::new(factor, FOLDED_LIMIT, INNER);
            add_folded(folded, factor, value.mantissa < 0, q);
        }
    }

    fn rotate(&self, table: &[i32], head: &mut [i32]) {
        let half = head.len() / 2;
        let (Some((cosines, sines)), Some((low, high))) =
            (table.split_at_checked(half), head.split_at_mut_checked(half))
        else {
            debug_assert!(false, "a table of {} and a head of {}", table.len(), head.len());
            return;
        };
        for (((a, b), c), s) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
            let (x, y) = (i64::from(*a), i64::from(*b));
            let (c, s) = (i64::from(*c), i64::from(*s));
            *a = saturate(round_shift::<ROTATION_BITS>((x * c).saturating_sub(y * s)));
            *b = saturate(round_shift::<ROTATION_BITS>((y * c).saturating_add(x * s)));
        }
    }

    fn activate(&self, activation: Activation, x: &mut [i32], gate: &[i32]) {
        match activation {
            Activation::Gelu => gelu(x),
            Activation::SwiGlu => swiglu(x, gate, self.bounds.product),
            Activation::Relu => relu(x),
        }
    }
}

/// Returns the value of a digit; positions whose values leave 63 bits are past the length and refused.
fn value(position: &impl PositionEncoding, digit: usize, word: u32) -> Dyadic {
    position.progression(digit).value(word).unwrap_or(Dyadic { mantissa: i64::MAX, exponent: 0 })
}

impl Attend<I8> for Integer {
    fn store(&self, row: &[i32], place: &mut [i8]) -> u16 {
        quantize_bf16(row, UNIT, place)
    }

    fn attend(
        &self,
        position: &impl PositionEncoding,
        head: &HeadPosition<'_>,
        past: &Past<'_, I8, u32>,
        query: &mut [i32],
        scores: &mut [i32],
        quants: &mut [i8],
    ) {
        let width = query.len();
        let quants = slice_mut(quants, ..width);
        // Scores to base 2, in units of 2^-16.
        let unit = self.scale.shifted(INNER.0);
        let query_scale = quantize(query, unit, quants);
        let largest = width as u32 * (128 * 127);
        let scales = RowScales::new(query_scale, largest, INNER);
        for run in &past.runs {
            let scores = slice_mut(slice_mut(scores, run.first..), ..run.key_scales.len());
            sums_int8(run.keys, width, quants, scores);
            for (score, bits) in scores.iter_mut().zip(run.key_scales) {
                *score = scales.apply(*score, Bf16::widen(*bits));
            }
        }
        self.add_positions(position, head, past.position_words, query, scores);
        if head.slope.to_bits() != 0 {
            let slope =
                Multiplier::from_f32(head.slope).times(Multiplier::LOG2_E).apply_wide(1, SLOPE);
            for (distance, score) in (0i64..).zip(scores.iter_mut().rev()) {
                let penalty = round_shift::<TERM_SHIFT>(slope.saturating_mul(distance));
                *score = saturate(i64::from(*score).saturating_sub(penalty));
            }
        }
        let total = softmax(scores);

        // The scale of each value goes into its weight, relative to the largest scale.
        let bits = past.runs.iter().flat_map(|run| run.value_scales).copied().max().unwrap_or(0);
        let largest = Multiplier::from_f32(Bf16::widen(bits));
        let scales = RowScales::from_multiplier(total.over(largest), 1 << 30, WEIGHT);
        query.fill(0);
        for run in &past.runs {
            let weights = slice_mut(slice_mut(scores, run.first..), ..run.value_scales.len());
            for (weight, bits) in weights.iter_mut().zip(run.value_scales) {
                *weight = scales.apply(*weight, Bf16::widen(*bits));
            }
            add_weighted_rows(weights, run.values, query);
        }
        // The weights sum to at most 2^24.
        let factor = PreparedMultiplier::new(largest.shifted(WEIGHT.0), (1 << 24) * 127, INNER);
        for sum in query {
            *sum = factor.apply(*sum);
        }
    }
}

impl Integer {
    /// Adds the positions to the scores: `Σ_j (a_j(m) − a_j(n))·step_j·(q·w_j)`, where the difference of
    /// digits is exact and the product with the query has 64 bits.
    fn add_positions(
        &self,
        position: &impl PositionEncoding,
        head: &HeadPosition<'_>,
        words: &[u32],
        query: &[i32],
        scores: &mut [i32],
    ) {
        let (width, count) = (query.len(), scores.len());
        let row = quotient(words.len(), count);
        if row == 0 {
            return;
        }
        let shift = QUERY_BITS - digits(query) as i32;
        let unit = INNER.0 - shift + FOLDED_UNIT.0;
        let mut by_digit = [0i64; MAX_DIGITS];
        let folded = rows(head.key_folded, head.key_width);
        for ((digit, product), folded) in by_digit.iter_mut().enumerate().zip(folded) {
            let folded = slice(folded, head.kv_head * width..(head.kv_head + 1) * width);
            // At most 2^24·2^27·2^11.
            let sum = dot_folded(folded, query, shift);
            let step = position.progression(digit).step;
            let factor = self.scale.times(Multiplier::from_dyadic(step)).shifted(unit);
            let sum = if step.mantissa < 0 { sum.saturating_neg() } else { sum };
            *product = factor.apply_to_wide(sum, SLOPE);
        }
        let now = slice(words, words.len() - row..);
        let term = |words: &[u32]| {
            let digits = words.iter().zip(now).zip(&by_digit);
            digits.fold(0i64, |sum, ((then, now), product)| {
                let distance = i64::from(*then) - i64::from(*now);
                sum.saturating_add(distance.saturating_mul(*product))
            })
        };
        // Where a term could be too large for a score, the largest is subtracted from all of them, so
        // that only terms without weight can saturate.
        let bound = distance_bound(words);
        let largest = by_digit.iter().take(row).fold(0u64, |sum, product| {
            sum.saturating_add(product.unsigned_abs().saturating_mul(u64::from(bound)))
        });
        if largest < TERM_LIMIT && i32::try_from(bound).is_ok() {
            // All terms are below 2^44, and in the score's units below 2^30.
            add_terms(scores, words, now, &by_digit, bound);
            return;
        }
        let most = rows(words, row).map(term).max().unwrap_or(0);
        for (score, words) in scores.iter_mut().zip(rows(words, row)) {
            let term = round_shift::<TERM_SHIFT>(term(words).saturating_sub(most));
            *score = saturate(i64::from(*score).saturating_add(term));
        }
    }
}
