use dfdx::dtypes::Dtype;
use dfdx::tensor_ops::Device;
use expe_core::position::OverrideBlock;

use super::composed::{Mask, Rotary};
use super::{Cube, Matrix, Vector};
use crate::config::Precision;

/// The projections of attention's inputs; matrices are `[out, in]`.
#[derive(Debug)]
pub struct AttentionWeights<'a, E: Dtype, D: Device<E>> {
    /// Query projection, `[heads·head_width, width]`.
    pub wq: &'a Matrix<E, D>,
    /// Key projection, `[kv_heads·head_width, width]`.
    pub wk: &'a Matrix<E, D>,
    /// Value projection, `[kv_heads·head_width, width]`.
    pub wv: &'a Matrix<E, D>,
    /// The precision of these projections, on devices that offer a choice.
    pub precision: Precision,
}

/// The numbers of ExPE and ExQPE for positions `0..length`, as tensors.
#[derive(Debug, Clone)]
pub struct Override<E: Dtype, D: Device<E>> {
    /// The input columns that are overridden.
    pub columns: OverrideBlock,
    /// 1 for the input columns that are kept, 0 for those overridden: `(width)`.
    pub kept: Vector<E, D>,
    /// 1 where an input column holds the digit, 0 elsewhere: `(digits, width)`.
    pub runs: Matrix<E, D>,
    /// The values of queries: `(length, digits)`.
    pub queries: Matrix<E, D>,
    /// The values of keys: `(length, digits)`.
    pub keys: Matrix<E, D>,
    /// The [`differences`](super::composed::differences) of the keys, on devices that work with them.
    pub differences: Option<Cube<E, D>>,
}

/// Where positions act inside an attention layer.
#[derive(Debug, Clone)]
pub struct AttentionSites<E: Dtype, D: Device<E>> {
    /// *Query/key input*.
    pub overrides: Option<Override<E, D>>,
    /// *Query/key head*.
    pub rotary: Option<Rotary<E, D>>,
    /// *Score*: the slope of each query head; empty where scores are not lowered.
    pub slopes: Vec<f32>,
    /// The [`Mask`] of these slopes, on devices that work with one.
    pub mask: Option<Mask<E, D>>,
}
