use super::units::{INNER, RESIDUAL_BITS};
use super::{DecodeError, Model};
use crate::kernels::{GROUP, GROUP_BYTES, Matrix, Weights, rows, unpack_group};
use crate::num::{Exponent, Multiplier};
use crate::shape::{Activation, Config, TensorId, TensorKind};

/// Numbers in units of `2^-16` lie below this: `127/128 · 2^15`. The rest is left for rounding, most
/// of it for the scale of a cached value, a bfloat16.
const INNER_LIMIT: Multiplier = Multiplier::new(127, 31 - 7 + INNER.0);
/// A norm's gain lies below this: its unit is `2^-20`.
const GAIN_LIMIT: Multiplier = Multiplier::new(1, 11);
/// A folded sum lies below this: `2^24` of a query times `2^27` times a head's width fits 64 bits.
const FOLDED_LIMIT: Multiplier = Multiplier::new(1, 7);
/// The most elements of a row that is normalized.
const WIDTH_LIMIT: usize = 1 << 15;
/// The most elements of a head.
const HEAD_LIMIT: usize = 1 << 11;

/// Bounds of the numbers in integer arithmetic, computed from the weights, for any text:
///
/// | number | bound | must be below |
/// |---|---|---|
/// | a norm's output | `h = √d·max\|g\|`: no element of a row exceeds √d times its root mean square | |
/// | query and key (with RoPE times 3/2 > √2 and its magnitude), value | `max_o Σ_i \|W_oi\|·h` | `127/128·2^15` |
/// | query with its position | the query's plus `Σ_j \|value_j\|·max\|folded\|`, for every position | `127/128·2^15` |
/// | inner layer of the MLP, its gate, logits | `max_o Σ_i \|W_oi\|·h` | `127/128·2^15` |
/// | product with the gate | product of the two bounds | sets its unit, `2^product` |
/// | sums of a matrix | from its columns, checked when the file is read | `2^31` |
/// | residual stream | measured on text, otherwise the sum of all additions | sets its unit, `2^residual` |
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Exponent of the residual stream's unit.
    pub residual: Exponent,
    /// Exponent of the unit of the MLP's inner layer after its activation.
    pub product: Exponent,
    /// The largest query without its position.
    query: Multiplier,
    /// The largest folded sum.
    folded: Multiplier,
}

impl Bounds {
    /// Computes the bounds of a model.
    pub fn new(model: &Model<'_>) -> Result<Self, DecodeError> {
        let Config { width, head_width, activation, position, .. } = *model.config();
        let outside = |kind| TensorId { kind, layer: 0 };
        for (kind, found, limit) in
            [(TensorKind::Embed, width, WIDTH_LIMIT), (TensorKind::Wq, head_width, HEAD_LIMIT)]
        {
            if found > limit {
                return Err(DecodeError::Range { tensor: outside(kind) });
            }
        }
        let root = Multiplier::root(width as u64);
        let mut bounds = Self {
            residual: Exponent(0),
            product: INNER,
            query: Multiplier::ZERO,
            folded: Multiplier::ZERO,
        };
        let mut residual = largest(outside(TensorKind::Embed), &model.embed())?;
        let (scale, offset) = position.embedding_bound(width);
        residual = residual.times(scale).plus(offset);
        residual = model
            .position_table()
            .iter()
            .fold(residual, |largest, x| largest.max(residual.plus(Multiplier::from_f32(*x))));
        let rotated = position.rotation_bound();
        for (layer, index) in model.layers().zip(0u32..) {
            let id = |kind| TensorId { kind, layer: index };
            let inner = |kind, matrix: &Matrix<'_>, input| inner(id(kind), matrix, input);
            let h = gain(id(TensorKind::AttnNorm), layer.attn_norm)?.times(root);
            bounds.query = bounds.query.max(inner(TensorKind::Wq, &layer.wq, h.times(rotated))?);
            inner(TensorKind::Wk, &layer.wk, h.times(rotated))?;
            let value = inner(TensorKind::Wv, &layer.wv, h)?;
            bounds.add_folded(id(TensorKind::QueryFolded), layer.query_folded)?;
            bounds.add_folded(id(TensorKind::KeyFolded), layer.key_folded)?;
            residual = residual.plus(sums(id(TensorKind::Wo), &layer.wo)?.times(value));

            let h = gain(id(TensorKind::MlpNorm), layer.mlp_norm)?.times(root);
            let mut hidden = inner(TensorKind::W1, &layer.w1, h)?;
            if let Some(w3) = layer.w3.filter(|_| activation == Activation::SwiGlu) {
                hidden = hidden.times(inner(TensorKind::W3, &w3, h)?);
            }
            // So that 2^31 units exceed the product.
            bounds.product = bounds.product.max(Exponent(hidden.log2().saturating_sub(30)));
            residual = residual.plus(sums(id(TensorKind::W2), &layer.w2)?.times(hidden));
        }
        let h = gain(outside(TensorKind::FinalNorm), model.final_norm())?.times(root);
        inner(outside(TensorKind::Head), &model.head(), h)?;

        // Never negative. Comparing with 0.0 would take a float instruction.
        if model.residual_range().to_bits() != 0 {
            residual = Multiplier::from_f32(model.residual_range());
        }
        let residual = residual.log2().saturating_add(1 - RESIDUAL_BITS);
        bounds.residual = Exponent(residual.max(-RESIDUAL_BITS));
        Ok(bounds)
    }

    /// Returns whether a query fits its 32 bits with position values that sum to `sum`.
    pub fn query_fits(&self, sum: Multiplier) -> bool {
        self.query.plus(sum.times(self.folded)) < INNER_LIMIT
    }

    /// Takes the folded sums of one projection into account.
    fn add_folded(&mut self, tensor: TensorId, folded: &[f32]) -> Result<(), DecodeError> {
        let largest = folded.iter().map(|x| Multiplier::from_f32(*x)).max();
        self.folded = self.folded.max(largest.unwrap_or(Multiplier::ZERO));
        if self.folded < FOLDED_LIMIT { Ok(()) } else { Err(DecodeError::Range { tensor }) }
    }
}

/// Returns the largest magnitude of a gain.
fn gain(tensor: TensorId, gain: &[f32]) -> Result<Multiplier, DecodeError> {
    let largest = gain.iter().map(|x| Multiplier::from_f32(*x)).max().unwrap_or(Multiplier::ZERO);
    if largest < GAIN_LIMIT { Ok(largest) } else { Err(DecodeError::Range { tensor }) }
}

/// Returns the largest output of a matrix for inputs up to `input`; an error if it does not fit 32 bits.
fn inner(
    tensor: TensorId,
    matrix: &Matrix<'_>,
    input: Multiplier,
) -> Result<Multiplier, DecodeError> {
    let bound = sums(tensor, matrix)?.times(input);
    if bound < INNER_LIMIT { Ok(bound) } else { Err(DecodeError::Range { tensor }) }
}

/// Returns `max_o Σ_i |W_oi|`.
fn sums(tensor: TensorId, matrix: &Matrix<'_>) -> Result<Multiplier, DecodeError> {
    per_row(tensor, matrix, |quants| quants.sum::<u64>())
}

/// Returns `max_oi |W_oi|`.
fn largest(tensor: TensorId, matrix: &Matrix<'_>) -> Result<Multiplier, DecodeError> {
    per_row(tensor, matrix, |quants| quants.max().unwrap_or(0))
}

/// Returns the largest over all rows of `measure(magnitudes of the row's integers)` times the row's
/// scale.
#[inline(never)] // for its size: shared by all measures
fn per_row(
    tensor: TensorId,
    matrix: &Matrix<'_>,
    measure: fn(&mut dyn Iterator<Item = u64>) -> u64,
) -> Result<Multiplier, DecodeError> {
    let scaled = |scale: &f32, value| Multiplier::from_f32(*scale).times(Multiplier::new(value, 0));
    let largest = match matrix.weights() {
        Weights::Int8 { scales, quants } => scales
            .iter()
            .zip(rows(quants, matrix.cols()))
            .map(|(scale, quants)| {
                scaled(scale, measure(&mut quants.iter().map(|q| q.unsigned_abs().into())))
            })
            .max(),
        Weights::Int4 { scales, factors, quants } => {
            let groups = matrix.cols().div_ceil(GROUP);
            let quants = rows(quants, groups * GROUP_BYTES);
            scales
                .iter()
                .zip(rows(factors, groups).zip(quants))
                .map(|(scale, (factors, quants))| {
                    let groups = rows(quants, GROUP_BYTES).zip(factors);
                    let mut quants = groups.flat_map(|(group, factor)| {
                        let factor = u64::from(*factor);
                        unpack_group(group).map(move |q| u64::from(q.unsigned_abs()) * factor)
                    });
                    scaled(scale, measure(&mut quants))
                })
                .max()
        }
        Weights::F32(_) | Weights::F16(_) | Weights::Bf16(_) => {
            return Err(DecodeError::NotInteger { tensor });
        }
    };
    Ok(largest.unwrap_or(Multiplier::ZERO))
}
