use dfdx::dtypes::Dtype;
use expe::config::Precision;
use expe::model::Sites;
use expe::ops::{AttentionWeights, Backend, Heads, Matrix};
use expe_core::position::{Beyond, Growth, PositionConfig, Scaling};
use expe_core::{Activation, Config, Norm};

use super::{Case, Outcome, check, differentiate, leaf, outcome};

#[derive(Debug, Clone, Copy)]
struct Attend {
    batch: usize,
    length: usize,
    width: usize,
    kv_heads: usize,
    groups: usize,
    head_width: usize,
    position: PositionConfig,
}

impl Attend {
    fn config(&self) -> Config {
        Config {
            vocab: 2,
            width: self.width,
            layers: 1,
            heads: self.kv_heads * self.groups,
            kv_heads: self.kv_heads,
            head_width: self.head_width,
            hidden: 1,
            context: self.length,
            norm: Norm::RmsNorm,
            epsilon: 1e-5,
            activation: Activation::Gelu,
            tied_head: true,
            position: self.position,
        }
    }
}

/// The largest score that matters in a softmax of the numbers drawn here.
const SCORE: usize = 16;

impl Case for Attend {
    fn inputs(&self) -> Vec<(usize, f32)> {
        let values = self.kv_heads * self.head_width;
        let matrix = |outputs| (outputs * self.width, 0.15);
        let x = (self.batch * self.length * self.width, 1.0);
        vec![x, matrix(self.groups * values), matrix(values), matrix(values)]
    }

    /// Queries and keys are sums over the width, and a score is a sum over the head with about ten further
    /// operations for a position: errors of random sign, which grow with the root of their number. The absolute
    /// error of a score is a relative error of a softmax weight, which is divided by a sum over positions. Results
    /// and their gradients are sums over positions, gradients of weights are sums over rows, with a dozen
    /// operations between them.
    fn roundings(&self) -> usize {
        let score = 2 * self.width + self.head_width + 10;
        SCORE * score.isqrt() + 3 * self.length + self.batch * self.length + 12
    }

    fn run<E: Dtype, D: Backend<E>>(&self, device: &D, given: &[Vec<f64>]) -> Outcome {
        let Self { batch, length, width, kv_heads, groups, head_width, .. } = *self;
        let values = kv_heads * head_width;
        let x: Matrix<E, D> = leaf(device, (batch * length, width), &given[0]);
        let wq: Matrix<E, D> = leaf(device, (groups * values, width), &given[1]);
        let wk: Matrix<E, D> = leaf(device, (values, width), &given[2]);
        let wv: Matrix<E, D> = leaf(device, (values, width), &given[3]);
        let sites = Sites::new(&self.config(), length, device).unwrap();
        let weights = AttentionWeights { wq: &wq, wk: &wk, wv: &wv, precision: Precision::F32 };
        let heads = Heads { batch, length, kv_heads, groups, head_width };
        let result = D::attend(x.retaped(), &weights, &sites.attention, &heads).unwrap();
        outcome(result, &[&x, &wq, &wk, &wv])
    }
}

fn encodings() -> [PositionConfig; 6] {
    let (start, step, beyond) = (1.0, 1.0 / 32.0, Beyond::Refuse);
    let exqpe = |growth, query_cap| PositionConfig::Exqpe {
        start,
        step,
        width: 6,
        base: 6,
        digits: 3,
        growth,
        query_cap,
        beyond,
    };
    [
        PositionConfig::None,
        PositionConfig::Rope { base: 10_000.0, scaling: Scaling::None },
        PositionConfig::Alibi,
        PositionConfig::Expe { start, step, width: 3, query_cap: None, beyond },
        exqpe(Growth::Equal, Some(3)),
        exqpe(Growth::Weighted, None),
    ]
}

fn base(position: PositionConfig) -> Attend {
    Attend { batch: 2, length: 7, width: 22, kv_heads: 2, groups: 2, head_width: 6, position }
}

#[test]
fn attention_with_every_encoding_follows_the_composed_one() {
    for position in encodings() {
        for length in [1, 7, 65, 130] {
            check(&Attend { length, ..base(position) });
        }
    }
}

#[test]
fn attention_with_any_number_of_heads_follows_the_composed_one() {
    for position in encodings() {
        for (kv_heads, groups) in [(1, 1), (3, 1), (1, 3)] {
            check(&Attend { batch: 3, kv_heads, groups, ..base(position) });
        }
    }
}

#[test]
fn attention_across_blocks_of_keys_follows_the_composed_one() {
    for position in encodings() {
        check(&Attend { batch: 1, length: 259, kv_heads: 1, ..base(position) });
    }
}

#[test]
fn attention_with_wide_heads_follows_the_composed_one() {
    for position in encodings() {
        for head_width in [70, 150] {
            check(&Attend { batch: 1, length: 66, kv_heads: 1, head_width, ..base(position) });
        }
    }
}

#[test]
fn gradients_are_finite_differences() {
    for position in encodings() {
        differentiate(&Attend {
            length: 5,
            width: 9,
            head_width: 4,
            kv_heads: 1,
            ..base(position)
        });
    }
}
