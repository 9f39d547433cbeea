use dfdx::shapes::HasShape;
use dfdx::tensor::{Cuda, CudaError, PutTape, Tape, Tensor};

use super::context::{Context, fresh};
use super::kernels::{Embedded, embed_backward, embed_forward, embed_positions};
use super::span::{Span, SpanMut};
use crate::ops::{Matrix, Placed};

/// The rows of `table` that `tokens` name, with the positions of each sequence put in; gradients go
/// to the rows that were used.
///
/// # Errors
/// The device's.
pub fn embed<T: Tape<f32, Cuda>>(
    table: &Matrix<f32, Cuda>,
    tokens: &Tensor<(usize,), usize, Cuda>,
    placed: &Placed<'_, f32, Cuda>,
    mut tape: T,
) -> Result<Matrix<f32, Cuda, T>, CudaError> {
    let (table, tokens) = (table.clone(), tokens.clone());
    let context = Context::of(&table)?;
    let width = table.shape().1;
    let scale = placed.fixed.map_or(1.0, |(scale, _)| *scale);
    let kind = Embedded { length: placed.length, width, scale };
    let fixed = placed.fixed.map(|(_, rows)| Span::of(rows));
    let learned = placed.learned.cloned();
    let mut x = fresh(table.device(), (tokens.shape().0, width))?;
    let rows = [fixed, learned.as_ref().map(Span::of)];
    let (source, indices) = (Span::of(&table), Span::of(&tokens));
    embed_forward(&context, kind, source, indices, rows, SpanMut::of(&mut x))?;
    let ghost = x.ghost();
    tape.add_backward_op(move |slopes| {
        let dx = context.take(slopes.get_or_alloc_mut(&ghost)?)?;
        let sums = slopes.get_or_alloc_mut(&table)?;
        embed_backward(&context, kind, (&dx).into(), Span::of(&tokens), (&mut **sums).into())?;
        if let Some(learned) = learned {
            let sums = slopes.get_or_alloc_mut(&learned)?;
            embed_positions(&context, kind, (&dx).into(), (&mut **sums).into())?;
        }
        Ok(())
    });
    Ok(x.put_tape(tape))
}
