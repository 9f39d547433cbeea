use dfdx::dtypes::Dtype;
use dfdx::shapes::HasShape;
use dfdx::tensor::{PutTape, Tape, Tensor};
use dfdx::tensor_ops::Device;

use super::Matrix;
use super::bridge::record;
use super::kernels::{EmbeddingShape, Kernels};
use super::trace::{self, Operation, Pass};

/// The factor of embeddings, and the rows that are added to them, `(length, width)`.
pub type Fixed<E, D> = (E, Matrix<E, D>);

/// What positions do to token embeddings.
#[derive(Debug)]
pub struct Placed<'a, E: Dtype, D: Device<E>> {
    /// Positions of a sequence.
    pub length: usize,
    /// Numbers that are not learned.
    pub fixed: Option<&'a Fixed<E, D>>,
    /// A table of at least `length` learned rows.
    pub learned: Option<&'a Matrix<E, D>>,
}

/// Looks up the rows of `table` for `tokens`, in sequences of `placed.length`, and adds positions.
pub fn embed<D: Kernels, T: Tape<f32, D>>(
    table: &Matrix<f32, D>,
    tokens: &Tensor<(usize,), usize, D>,
    placed: &Placed<'_, f32, D>,
    mut tape: T,
) -> Result<Matrix<f32, D, T>, D::Err> {
    let _span = trace::operation(Operation::Embedding, Pass::Forward);
    let (table, tokens, learned) = (table.clone(), tokens.clone(), placed.learned.cloned());
    let queue = D::queue(&table)?;
    let width = table.shape().1;
    let scale = placed.fixed.map_or(1.0, |(scale, _)| *scale);
    let shape = EmbeddingShape { length: placed.length, width, scale };
    let mut x = table.device().output((tokens.shape().0, width))?;
    D::embedding_forward(
        &queue,
        shape,
        D::slice(&table),
        D::indices(&tokens),
        placed.fixed.map(|(_, rows)| D::slice(rows)),
        learned.as_ref().map(D::slice),
        D::slice_mut(&mut x),
    )?;
    record(&mut tape, &queue.clone(), &x, move |gradients, dx| {
        let _span = trace::operation(Operation::Embedding, Pass::Backward);
        let dtable = gradients.of(&table)?;
        D::embedding_backward(&queue, shape, dx, D::indices(&tokens), dtable)?;
        match &learned {
            Some(learned) => D::position_table_backward(&queue, shape, dx, gradients.of(learned)?),
            None => Ok(()),
        }
    });
    Ok(x.put_tape(tape))
}
