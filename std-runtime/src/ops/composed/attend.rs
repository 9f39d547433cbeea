use dfdx::dtypes::Dtype;
use dfdx::tensor::{CopySlice, Tape, ZerosTensor};
use dfdx::tensor_ops::Device;

use super::{
    Mask, Relative, add_rows, attention, differences, digit_columns, digit_terms,
    masked_projection, projection, rotate,
};
use crate::ops::{AttentionSites, AttentionWeights, Heads, Matrix};

/// Computes causal attention of the rows of `x` over each other, with positions at the sites that they act at:
/// everything of an attention layer between its norm and its output projection.
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
