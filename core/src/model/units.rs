//! The binary points of integer arithmetic, as exponents of two.

use crate::num::Exponent;

/// Queries, keys, values, inner layers and logits are multiples of `2^INNER`.
pub(super) const INNER: Exponent = Exponent(-16);
/// Cosines and sines are multiples of `2^-ROTATION_BITS`.
pub(super) const ROTATION_BITS: u32 = 29;
/// What one step of a digit, or one position of distance, adds to a score is a multiple of `2^SLOPE`.
pub(super) const SLOPE: Exponent = Exponent(-30);
/// Attention's weights, which sum to 1, are multiples of `2^WEIGHT`: with 8-bit values a sum fits 32 bits.
pub(super) const WEIGHT: Exponent = Exponent(-23);
/// Bits that a query is scaled to before it meets the folded columns.
pub(super) const QUERY_BITS: i32 = 24;
/// Bits that the residual stream's range takes of 32: one is left above it, one is the sign.
pub(super) const RESIDUAL_BITS: i32 = 30;
