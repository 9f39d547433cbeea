use super::vector::{add, add_scaled, vectorized};
use crate::ops::EmbeddingShape;

fn row(token: usize, width: usize) -> std::ops::Range<usize> {
    token * width..(token + 1) * width
}

/// See [`Kernels::embedding_forward`](crate::ops::Kernels::embedding_forward).
pub fn forward(
    shape: EmbeddingShape,
    table: &[f32],
    tokens: &[usize],
    positions: [Option<&[f32]>; 2],
    x: &mut [f32],
) {
    let EmbeddingShape { length, width, scale } = shape;
    for (x, token) in x.chunks_exact_mut(width).zip(tokens) {
        x.copy_from_slice(&table[row(*token, width)]);
    }
    vectorized(
        #[inline(always)]
        || {
            if scale != 1.0 {
                x.iter_mut().for_each(|x| *x *= scale);
            }
            for rows in positions.into_iter().flatten() {
                let rows = &rows[..length * width];
                x.chunks_exact_mut(length * width).for_each(|x| add(x, rows));
            }
        },
    );
}

/// See [`Kernels::embedding_backward`](crate::ops::Kernels::embedding_backward).
pub fn backward(shape: EmbeddingShape, dx: &[f32], tokens: &[usize], dtable: &mut [f32]) {
    let EmbeddingShape { width, scale, .. } = shape;
    vectorized(
        #[inline(always)]
        || {
            for (dx, token) in dx.chunks_exact(width).zip(tokens) {
                add_scaled(&mut dtable[row(*token, width)], scale, dx);
            }
        },
    );
}

/// See [`Kernels::position_table_backward`](crate::ops::Kernels::position_table_backward).
pub fn position_table_backward(shape: EmbeddingShape, dx: &[f32], dlearned: &mut [f32]) {
    let EmbeddingShape { length, width, .. } = shape;
    vectorized(
        #[inline(always)]
        || dx.chunks_exact(length * width).for_each(|dx| add(dlearned, dx)),
    );
}
