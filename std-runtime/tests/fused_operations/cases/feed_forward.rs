use dfdx::dtypes::Dtype;
use expe::config::Precision;
use expe::ops::{self, Backend, Matrix};
use expe_core::Activation;

use super::{Case, Leaf, Outcome, check, differentiate, leaf, outcome};

#[derive(Debug, Clone, Copy)]
struct FeedForward {
    rows: usize,
    width: usize,
    hidden: usize,
    activation: Activation,
    gated: bool,
    residual: bool,
}

impl Case for FeedForward {
    fn inputs(&self) -> Vec<(usize, f32)> {
        let Self { rows, width, hidden, .. } = *self;
        let weights = if self.gated { 3 } else { 2 };
        let rest = if self.residual { 2 } else { 1 };
        [vec![(hidden * width, 0.3); weights], vec![(rows * width, 1.0); rest]].concat()
    }

    /// Forward, a sum over the width and one over the hidden columns; backward, the same again or a sum over rows;
    /// about ten operations for the activation and ten for its derivative.
    fn roundings(&self) -> usize {
        2 * (self.width + self.hidden) + self.rows + 20
    }

    fn run<E: Dtype, D: Backend<E>>(&self, device: &D, given: &[Vec<f64>]) -> Outcome {
        let Self { rows, width, hidden, activation, .. } = *self;
        let mut given = given.iter();
        let mut next = |rows, columns| -> Matrix<E, D> {
            leaf(device, (rows, columns), given.next().unwrap())
        };
        let (w1, w2) = (next(hidden, width), next(width, hidden));
        let w3 = self.gated.then(|| next(hidden, width));
        let x = next(rows, width);
        let residual = self.residual.then(|| next(rows, width));
        let precision = Precision::F32;
        let w3s = w3.as_ref();
        let weights = ops::FeedForward { w1: &w1, w2: &w2, w3: w3s, activation, precision };
        let before = residual.as_ref().map(|residual| residual.retaped());
        let result = D::feed_forward(before, x.retaped(), &weights).unwrap();
        let all = [Some(&w1), Some(&w2), w3.as_ref(), Some(&x), residual.as_ref()];
        let leaves: Vec<&dyn Leaf<E, D>> =
            all.into_iter().flatten().map(|leaf| leaf as &dyn Leaf<E, D>).collect();
        outcome(result, &leaves)
    }
}

const KINDS: [(Activation, bool); 4] = [
    (Activation::Gelu, false),
    (Activation::Relu, false),
    (Activation::SwiGlu, false),
    (Activation::SwiGlu, true),
];

/// Lists every activation, with and without a residual.
fn kinds(base: FeedForward) -> impl Iterator<Item = FeedForward> {
    KINDS.into_iter().flat_map(move |(activation, gated)| {
        [false, true].map(|residual| FeedForward { activation, gated, residual, ..base })
    })
}

const BASE: FeedForward = FeedForward {
    rows: 5,
    width: 3,
    hidden: 7,
    activation: Activation::Gelu,
    gated: false,
    residual: false,
};

#[test]
fn follows_the_composed_one() {
    for rows in [1, 5, 33] {
        for (width, hidden) in [(1, 1), (22, 29), (77, 130)] {
            kinds(FeedForward { rows, width, hidden, ..BASE }).for_each(|case| check(&case));
        }
    }
}

/// No input of a ReLU is so close to 0 here that a step changes its sign.
#[test]
fn gradients_are_finite_differences() {
    kinds(BASE).for_each(|case| differentiate(&case));
}
