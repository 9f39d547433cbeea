//! The queries', keys' and values' projections with causal attention in one operation.

mod blocked;
mod inputs;
mod terms;

use dfdx::shapes::HasShape;
use dfdx::tensor::{Cpu, CpuError, PutTape, SplitTape, Tape};

use self::blocked::{Layout, Saved, backward, forward};
use self::inputs::Inputs;
use super::buffer::Buffer;
use super::storage::{scratch, tensor, values};
use crate::ops::profile::{Operation, Pass, timed};
use crate::ops::{AttentionSites, AttentionWeights, Heads, Matrix};

/// [`attend`](crate::ops::attend) without a matrix of scores.
///
/// The tape keeps queries, keys, values, results, and one number for each row and head.
///
/// # Errors
/// The device's.
pub fn attend<T: Tape<f32, Cpu>>(
    x: Matrix<f32, Cpu, T>,
    weights: &AttentionWeights<'_, f32, Cpu>,
    sites: &AttentionSites<f32, Cpu>,
    heads: &Heads,
) -> Result<Matrix<f32, Cpu, T>, CpuError> {
    let (x, mut tape) = x.split_tape();
    let layout = Layout::new(heads);
    let rows = x.shape().0;
    let inputs = Inputs::new(x, weights, sites, layout);
    let (terms, qkv) =
        timed(Operation::Inputs, Pass::Forward, || (inputs.terms(sites), inputs.project()));
    let (mut out, mut norms) = (scratch(rows * layout.keys()), Buffer::new(rows * heads.heads()));
    timed(Operation::Attention, Pass::Forward, || {
        forward(&qkv, &layout, &terms, &mut out, &mut norms);
    });
    let out = tensor(inputs.x.device(), (rows, layout.keys()), out)?;
    let (ghost, result) = (out.ghost(), out.clone());
    tape.add_backward_op(move |slopes| {
        let dout = std::mem::take(&mut **slopes.get_or_alloc_mut(&ghost)?);
        let mut dqkv = Buffer::zeros(qkv.len());
        let mut dcolumns: Vec<_> = terms.columns.iter().map(|w| scratch(w.len())).collect();
        let saved = Saved { qkv: &qkv, out: values(&result), norms: &norms };
        timed(Operation::Attention, Pass::Backward, || {
            backward(&saved, &layout, &terms, &dout, &mut dqkv, &mut dcolumns);
        });
        timed(Operation::Inputs, Pass::Backward, || inputs.differentiate(slopes, dqkv, &dcolumns))
    });
    Ok(out.put_tape(tape))
}
