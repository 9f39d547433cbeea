use dfdx::dtypes::Dtype;
use dfdx::tensor::{CopySlice, Tape, ZerosTensor};
use dfdx::tensor_ops::Device;
use expe_core::position::OverrideBlock;

use super::{
    Cube, Heads, Mask, Matrix, Precision, Relative, Rotary, Vector, add_rows, attention,
    differences, digit_columns, digit_terms, masked_projection, projection, rotate,
};

/// The projections in front of attention; matrices are `[out, in]`.
#[derive(Debug)]
pub struct AttentionWeights<'a, E: Dtype, D: Device<E>> {
    /// Query projection, `[heads·head_width, width]`.
    pub wq: &'a Matrix<E, D>,
    /// Key projection, `[kv_heads·head_width, width]`.
    pub wk: &'a Matrix<E, D>,
    /// Value projection, `[kv_heads·head_width, width]`.
    pub wv: &'a Matrix<E, D>,
    /// The numbers of these projections, on devices that offer a choice.
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
    /// [`differences`] of the keys, on devices that work with them.
    pub differences: Option<Cube<E, D>>,
}

/// Where positions act inside an attention layer.
#[derive(Debug, Clone)]
pub struct AttentionSites<E: Dtype, D: Device<E>> {
    /// *Query/key input*.
    pub overrides: Option<Override<E, D>>,
    /// *Query/key head*.
    pub rotary: Option<Rotary<E, D>>,
    /// *Score*: the slope of each query head, none where scores are not lowered.
    pub slopes: Vec<f32>,
    /// The [`Mask`] of these slopes, on devices that work with one.
    pub mask: Option<Mask<E, D>>,
}

/// Causal attention of the rows of `x` over each other, with positions at the sites that they act at:
/// all of an attention layer between its norm and its output projection.
///
/// # Errors
/// The device's.
pub fn attend<E: Dtype, D: Device<E> + ZerosTensor<E> + CopySlice<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weights: &AttentionWeights<'_, E, D>,
    sites: &AttentionSites<E, D>,
    heads: &Heads,
) -> Result<Matrix<E, D, T>, D::Err> {
    let AttentionWeights { wq, wk, wv, .. } = *weights;
    let device = wq.device().clone();
    let (mut q, mut k);
    let (mut relative, made);
    if let Some(site) = &sites.overrides {
        q = masked_projection(x.retaped::<T>(), wq, &site.kept)?;
        k = masked_projection(x.retaped::<T>(), wk, &site.kept)?;
        let columns = digit_columns(wq, &site.runs)?;
        q = add_rows(q, digit_terms::<_, _, T>(&site.queries, columns)?)?;
        let columns = digit_columns(wk, &site.runs)?;
        made = match &site.differences {
            Some(known) => known.clone(),
            None => differences(&site.keys)?,
        };
        relative = Some(Relative { columns, differences: &made });
    } else {
        q = projection(x.retaped::<T>(), wq)?;
        k = projection(x.retaped::<T>(), wk)?;
        relative = None;
    }
    if let Some(rotary) = &sites.rotary {
        q = rotate(q, rotary)?;
        k = rotate(k, rotary)?;
    }
    let v = projection(x, wv)?;
    let mask = match &sites.mask {
        Some(known) => known.clone(),
        None => Mask::new(&device, heads.length, &sites.slopes)?,
    };
    attention(q, k, v, relative.take(), &mask, heads)
}
