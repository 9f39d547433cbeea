use dfdx::shapes::HasShape;
use dfdx::tensor::{Cpu, CpuError, PutTape, Tape, Tensor};

use super::storage::{put, record, take, tensor, values};
use super::vector::{add, add_scaled, vectorised};
use crate::ops::profile::Operation;
use crate::ops::{Matrix, Placed};

/// The rows of `table` that `tokens` name, with the positions of each sequence put in; gradients go
/// to the rows that were used.
///
/// # Errors
/// The device's.
pub fn embed<T: Tape<f32, Cpu>>(
    table: &Matrix<f32, Cpu>,
    tokens: &Tensor<(usize,), usize, Cpu>,
    placed: &Placed<'_, f32, Cpu>,
    mut tape: T,
) -> Result<Matrix<f32, Cpu, T>, CpuError> {
    let table = table.clone();
    let width = table.shape().1;
    let (length, scale) = (placed.length, placed.fixed.map_or(1.0, |(scale, _)| *scale));
    let fixed = placed.fixed.map_or(&[][..], |(_, rows)| values(rows));
    let learned = placed.learned.cloned();
    let indices = tokens.as_vec();
    let row = move |token: usize| token * width..(token + 1) * width;
    let mut x = Vec::with_capacity(indices.len() * width);
    let source = values(&table);
    for token in &indices {
        x.extend_from_slice(&source[row(*token)]);
    }
    vectorised(
        #[inline(always)]
        || {
            if scale != 1.0 {
                x.iter_mut().for_each(|x| *x *= scale);
            }
            for rows in [fixed, learned.as_ref().map_or(&[][..], |learned| values(learned))] {
                if let Some(rows) = rows.get(..length * width) {
                    x.chunks_exact_mut(length * width).for_each(|x| add(x, rows));
                }
            }
        },
    );
    let x = tensor(table.device(), (indices.len(), width), x)?;
    let ghost = x.ghost();
    record(&mut tape, Operation::Embedding, move |slopes| {
        let dx = std::mem::take(&mut **slopes.get_or_alloc_mut(&ghost)?);
        let mut sums = take(slopes, &table)?;
        vectorised(
            #[inline(always)]
            || {
                for (dx, token) in dx.chunks_exact(width).zip(&indices) {
                    add_scaled(&mut sums[row(*token)], scale, dx);
                }
            },
        );
        put(slopes, &table, sums)?;
        if let Some(learned) = learned {
            let mut sums = take(slopes, &learned)?;
            vectorised(
                #[inline(always)]
                || dx.chunks_exact(length * width).for_each(|dx| add(&mut sums, dx)),
            );
            put(slopes, &learned, sums)?;
        }
        Ok(())
    });
    Ok(x.put_tape(tape))
}
