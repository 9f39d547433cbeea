//! Positions inside attention: the folded columns of ExPE and ExQPE, and rotations of heads.

use dfdx::tensor::Cpu;
use expe_core::position::OverrideBlock;

use super::terms::Terms;
use super::vector::{add_scaled, vectorized};
use crate::ops::{Layout, Positions, Side, Turn};

/// Sums up the columns of a weight matrix, `width` wide, that hold each digit.
fn fold(columns: &OverrideBlock, weight: &[f32], width: usize) -> Vec<Vec<f32>> {
    let run = columns.run_width();
    let list = |digit: usize| {
        let rows = weight.chunks_exact(width);
        rows.map(|row| row[digit * run..][..run].iter().sum()).collect()
    };
    (0..columns.digits).map(list).collect()
}

/// Writes `Σ_j a_j(n)·u_j` into the queries of each row, where `a_j` are the values of queries and `u_j` the
/// folded columns of `wq`.
pub fn start_queries(layout: &Layout, positions: Positions<'_, Cpu>, wq: &[f32], qkv: &mut [f32]) {
    let queries = layout.queries();
    let folded = fold(&positions.columns, wq, wq.len() / queries);
    let values = positions.queries.chunks_exact(positions.columns.digits).cycle();
    vectorized(
        #[inline(always)]
        || {
            for (row, values) in qkv.chunks_exact_mut(layout.stride()).zip(values) {
                row[..queries].fill(0.0);
                for (value, column) in values.iter().zip(&folded) {
                    add_scaled(row, *value, column);
                }
            }
        },
    );
}

/// See [`Kernels::position_terms`](crate::ops::Kernels::position_terms).
pub fn terms(
    layout: &Layout,
    positions: Option<Positions<'_, Cpu>>,
    wk: &[f32],
    slopes: &[f32],
) -> Terms {
    match positions {
        Some(Positions { columns, keys, .. }) => {
            let list = |j| keys.iter().skip(j).step_by(columns.digits).copied().collect();
            Terms {
                keys: (0..columns.digits).map(list).collect(),
                folded: fold(&columns, wk, wk.len() / layout.keys()),
                slopes: Vec::new(),
            }
        }
        None if slopes.is_empty() => Terms::default(),
        None => Terms {
            keys: vec![(0..layout.heads.length).map(|m| m as f32).collect()],
            folded: Vec::new(),
            slopes: slopes.to_vec(),
        },
    }
}

/// Computes the gradients of the folded query columns.
pub fn query_columns_backward(
    layout: &Layout,
    positions: Positions<'_, Cpu>,
    dqkv: &[f32],
) -> Vec<Vec<f32>> {
    let digits = positions.columns.digits;
    let mut sums = vec![vec![0.0; layout.queries()]; digits];
    let values = positions.queries.chunks_exact(digits).cycle();
    vectorized(
        #[inline(always)]
        || {
            for (dq, values) in dqkv.chunks_exact(layout.stride()).zip(values) {
                for (value, sums) in values.iter().zip(&mut sums) {
                    add_scaled(sums, *value, dq);
                }
            }
        },
    );
    sums
}

/// The gradients of the folded columns, one list for each digit.
#[derive(Debug)]
pub struct FoldedGradients {
    /// Of the query weights.
    pub queries: Vec<Vec<f32>>,
    /// Of the key weights.
    pub keys: Vec<Vec<f32>>,
}

/// See [`Kernels::unfold`](crate::ops::Kernels::unfold).
pub fn unfold(
    columns: &OverrideBlock,
    gradients: &FoldedGradients,
    side: Side,
    dweight: &mut [f32],
    width: usize,
) {
    let run = columns.run_width();
    let folded = match side {
        Side::Queries => &gradients.queries,
        Side::Keys => &gradients.keys,
    };
    for (digit, folded) in folded.iter().enumerate() {
        for (row, gradient) in dweight.chunks_exact_mut(width).zip(folded) {
            row[digit * run..][..run].iter_mut().for_each(|dw| *dw += gradient);
        }
    }
}

/// See [`Kernels::rotate`](crate::ops::Kernels::rotate).
pub fn rotate(layout: &Layout, qkv: &mut [f32], cos: &[f32], sin: &[f32], turn: Turn) {
    let width = layout.heads.head_width;
    let half = width / 2;
    let rotated = layout.values();
    vectorized(
        #[inline(always)]
        || {
            let angles = cos.chunks_exact(width).zip(sin.chunks_exact(width)).cycle();
            for (row, (cos, sin)) in qkv.chunks_exact_mut(layout.stride()).zip(angles) {
                // The second half holds the sine, the first half its negative.
                let sin = match turn {
                    Turn::Forward => &sin[half..],
                    Turn::Back => &sin[..half],
                };
                for head in row[..rotated].chunks_exact_mut(width) {
                    let (left, right) = head.split_at_mut(half);
                    for (((a, b), c), s) in left.iter_mut().zip(right).zip(cos).zip(sin) {
                        (*a, *b) = (*a * c - *b * s, *b * c + *a * s);
                    }
                }
            }
        },
    );
}
