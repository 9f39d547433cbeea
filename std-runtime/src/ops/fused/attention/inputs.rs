use dfdx::shapes::HasShape;
use dfdx::tensor::{Cpu, CpuError};
use expe_core::position::OverrideBlock;

use super::blocked::Layout;
use super::terms::Terms;
use crate::ops::fused::buffer::Buffer;
use crate::ops::fused::linear::Linear;
use crate::ops::fused::product::Mode;
use crate::ops::fused::storage::{Slopes, put, scratch, take, values};
use crate::ops::fused::vector::{add_scaled, vectorised};
use crate::ops::{AttentionSites, AttentionWeights, Matrix, Precision, Rotary};

/// Projects rows to queries, keys and values with the positions put in.
#[derive(Debug)]
pub struct Inputs {
    /// The rows.
    pub x: Matrix<f32, Cpu>,
    weights: [Matrix<f32, Cpu>; 3],
    precision: Precision,
    layout: Layout,
    /// Columns of the queries' and keys' inputs that a position overrides.
    columns: OverrideBlock,
    /// The values of queries in them, `(length, digits)`.
    queries: Option<Matrix<f32, Cpu>>,
    rotary: Option<Rotary<f32, Cpu>>,
}

/// Which way heads are turned.
#[derive(Clone, Copy)]
enum Turn {
    Forward,
    Back,
}

impl Inputs {
    pub fn new(
        x: Matrix<f32, Cpu>,
        weights: &AttentionWeights<'_, f32, Cpu>,
        sites: &AttentionSites<f32, Cpu>,
        layout: Layout,
    ) -> Self {
        let AttentionWeights { wq, wk, wv, precision } = *weights;
        let overrides = sites.overrides.as_ref();
        Self {
            x,
            weights: [wq.clone(), wk.clone(), wv.clone()],
            precision,
            layout,
            columns: overrides.map_or(OverrideBlock::default(), |site| site.columns),
            queries: overrides.map(|site| site.queries.clone()),
            rotary: sites.rotary.clone(),
        }
    }

    /// What positions add to scores.
    pub fn terms(&self, sites: &AttentionSites<f32, Cpu>) -> Terms {
        let length = self.layout.heads.length;
        match &sites.overrides {
            Some(site) => {
                let digits = self.columns.digits;
                let keys = values(&site.keys);
                let list = |j| keys.iter().skip(j).step_by(digits).copied().collect();
                let [_, wk, _] = &self.weights;
                Terms {
                    keys: (0..digits).map(list).collect(),
                    columns: self.folded(wk),
                    slopes: Vec::new(),
                }
            }
            None if sites.slopes.is_empty() => Terms::default(),
            None => Terms {
                keys: vec![(0..length).map(|m| m as f32).collect()],
                columns: Vec::new(),
                slopes: sites.slopes.clone(),
            },
        }
    }

    /// The sums of the weights' columns that hold each digit.
    fn folded(&self, weight: &Matrix<f32, Cpu>) -> Vec<Vec<f32>> {
        let width = weight.shape().1;
        let run = self.columns.run_width();
        let list = |digit: usize| {
            let rows = values(weight).chunks_exact(width);
            rows.map(|row| row[digit * run..][..run].iter().sum()).collect()
        };
        (0..self.columns.digits).map(list).collect()
    }

    /// For queries, keys and values: where they begin in a row, and their projection.
    fn parts(&self) -> [(usize, Linear); 3] {
        let (rows, inputs) = *self.x.shape();
        let (keys, values) = (self.layout.keys(), self.layout.values());
        let (stride, overridden) = (self.layout.stride, self.columns.width);
        let precision = self.precision;
        let part = |outputs, skipped| Linear { rows, inputs, outputs, skipped, stride, precision };
        [
            (0, part(keys, overridden)),
            (keys, part(values - keys, overridden)),
            (values, part(values - keys, 0)),
        ]
    }

    /// Queries, keys and values side by side.
    pub fn project(&self) -> Buffer {
        let stride = self.layout.stride;
        let mut qkv = Buffer::new(self.x.shape().0 * stride);
        let mut mode = Mode::Set;
        if let Some(queries) = &self.queries {
            mode = Mode::Add;
            let keys = self.layout.keys();
            let [wq, ..] = &self.weights;
            let folded = self.folded(wq);
            let queries = values(queries).chunks_exact(self.columns.digits).cycle();
            vectorised(
                #[inline(always)]
                || {
                    for (row, queries) in qkv.chunks_exact_mut(stride).zip(queries) {
                        row[..keys].fill(0.0);
                        for (value, column) in queries.iter().zip(&folded) {
                            add_scaled(row, *value, column);
                        }
                    }
                },
            );
        }
        for (weight, (first, linear)) in self.weights.iter().zip(self.parts()) {
            linear.forward(values(&self.x), values(weight), &mut qkv[first..], mode);
            mode = Mode::Set;
        }
        self.rotate(&mut qkv, Turn::Forward);
        qkv
    }

    /// Carry the derivatives of [`project`](Self::project)'s result, and of the folded key columns, on to
    /// inputs and weights.
    pub fn differentiate(
        &self,
        slopes: &mut Slopes,
        mut dqkv: Buffer,
        dcolumns: &[Vec<f32>],
    ) -> Result<(), CpuError> {
        self.rotate(&mut dqkv, Turn::Back);
        let mut dx = take(slopes, &self.x)?;
        for (index, (weight, (first, linear))) in self.weights.iter().zip(self.parts()).enumerate()
        {
            let dy = &dqkv[first..];
            linear.input_slopes(dy, values(weight), &mut dx, Mode::Add);
            let mut dw = take(slopes, weight)?;
            linear.weight_slopes(dy, values(&self.x), &mut dw, Mode::Add);
            match index {
                0 => self.unfold(&self.query_folded(&dqkv), &mut dw),
                1 => self.unfold(dcolumns, &mut dw),
                _ => {}
            }
            put(slopes, weight, dw)?;
        }
        put(slopes, &self.x, dx)
    }

    /// The derivatives by the folded query columns.
    fn query_folded(&self, dqkv: &[f32]) -> Vec<Vec<f32>> {
        let mut sums = vec![scratch(self.layout.keys()); self.columns.digits];
        if let Some(queries) = &self.queries {
            let queries = values(queries).chunks_exact(self.columns.digits).cycle();
            vectorised(
                #[inline(always)]
                || {
                    for (dq, queries) in dqkv.chunks_exact(self.layout.stride).zip(queries) {
                        for (value, sums) in queries.iter().zip(&mut sums) {
                            add_scaled(sums, *value, dq);
                        }
                    }
                },
            );
        }
        sums
    }

    /// Add the derivatives by folded columns to those by the weights that they were summed from.
    fn unfold(&self, dcolumns: &[Vec<f32>], dw: &mut [f32]) {
        let width = self.x.shape().1;
        let run = self.columns.run_width();
        for (digit, dcolumn) in dcolumns.iter().enumerate() {
            for (row, slope) in dw.chunks_exact_mut(width).zip(dcolumn) {
                row[digit * run..][..run].iter_mut().for_each(|dw| *dw += slope);
            }
        }
    }

    /// Turn the heads of queries and keys by their positions' angles.
    fn rotate(&self, qkv: &mut [f32], turn: Turn) {
        let Some(rotary) = &self.rotary else { return };
        let width = self.layout.heads.head_width;
        let half = width / 2;
        let rotated = self.layout.values();
        vectorised(
            #[inline(always)]
            || {
                let cos = values(&rotary.cos).chunks_exact(width);
                let angles = cos.zip(values(&rotary.sin).chunks_exact(width)).cycle();
                for (row, (cos, sin)) in qkv.chunks_exact_mut(self.layout.stride).zip(angles) {
                    // The second half holds the sine as it is, the first with its sign changed.
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
}
