//! The queries', keys' and values' projections with causal attention in one operation.

mod inputs;
mod kernels;

use dfdx::shapes::HasShape;
use dfdx::tensor::{Cuda, CudaError, PutTape, SplitTape, Tape};
use dfdx::tensor_ops::ReshapeTo;

use self::inputs::Inputs;
use self::kernels::{Saved, Shape, backward, forward};
use super::context::{Context, fresh};
use super::span::{Span, SpanMut};
use crate::ops::{self, AttentionSites, AttentionWeights, Heads, Matrix};

/// The widest head that there are kernels for.
const WIDEST: usize = 256;

/// [`attend`](crate::ops::attend) without a matrix of scores, for heads of up to 256 columns.
///
/// The tape keeps queries, keys, values, results, and one number for each row and head, with ExPE and ExQPE
/// one more for each digit.
///
/// # Errors
/// The device's.
pub fn attend<T: Tape<f32, Cuda>>(
    x: Matrix<f32, Cuda, T>,
    weights: &AttentionWeights<'_, f32, Cuda>,
    sites: &AttentionSites<f32, Cuda>,
    heads: &Heads,
) -> Result<Matrix<f32, Cuda, T>, CudaError> {
    if heads.head_width > WIDEST {
        return ops::attend(x, weights, sites, heads);
    }
    let (x, mut tape) = x.try_contiguous()?.split_tape();
    let context = Context::of(&x)?;
    let rows = x.shape().0;
    let shape = Shape::new(heads, sites);
    let inputs = Inputs::new(x, weights, sites, shape);
    let (qkv, terms) = inputs.project(&context, &sites.slopes)?;
    let mut out = fresh(inputs.x.device(), (rows, shape.queries()))?;
    let norms = forward(&context, &shape, &qkv, &terms, SpanMut::of(&mut out))?;
    let (ghost, result) = (out.ghost(), out.clone());
    tape.add_backward_op(move |slopes| {
        let dout = context.take(slopes.get_or_alloc_mut(&ghost)?)?;
        let saved = Saved { qkv: &qkv, out: Span::of(&result), norms: &norms, dout: &dout };
        let derivatives = backward(&context, &shape, &saved, &terms)?;
        inputs.differentiate(&context, slopes, &qkv, &terms, derivatives)
    });
    Ok(out.put_tape(tape))
}
