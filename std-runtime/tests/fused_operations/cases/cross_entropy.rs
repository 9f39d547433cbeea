use dfdx::dtypes::Dtype;
use dfdx::tensor::Cpu;
use expe::config::Precision;
use expe::ops::{Backend, Matrix};

use super::{
    Case, Outcome, ROUNDING, check, differentiate, draw, fast, indices, largest, leaf, numbers,
    outcome,
};

#[derive(Debug)]
struct CrossEntropy {
    rows: usize,
    width: usize,
    vocab: usize,
}

impl CrossEntropy {
    fn leaves<E: Dtype, D: Backend<E>>(&self, device: &D, given: &[Vec<f64>]) -> [Matrix<E, D>; 2] {
        [
            leaf(device, (self.rows, self.width), &given[0]),
            leaf(device, (self.vocab, self.width), &given[1]),
        ]
    }

    fn log_probabilities<E: Dtype, D: Backend<E>>(
        &self,
        device: &D,
        given: &[Vec<f64>],
    ) -> Vec<f64> {
        let [x, head] = self.leaves::<E, D>(device, given);
        let targets = indices::<E, D>(device, self.rows, self.vocab);
        numbers(D::log_probabilities(&x, &head, &targets).unwrap().as_vec())
    }
}

impl Case for CrossEntropy {
    fn inputs(&self) -> Vec<(usize, f32)> {
        vec![(self.rows * self.width, 1.0), (self.vocab * self.width, 0.3)]
    }

    /// A logit, of size up to 10, is a sum over the width, and its absolute error is a relative error of the
    /// probability, which is divided by a sum over the vocabulary. Gradients are sums over the vocabulary or over
    /// rows, with about ten operations between them.
    fn roundings(&self) -> usize {
        10 * self.width + 2 * self.vocab + self.rows + 10
    }

    fn run<E: Dtype, D: Backend<E>>(&self, device: &D, given: &[Vec<f64>]) -> Outcome {
        let [x, head] = self.leaves::<E, D>(device, given);
        let targets = indices::<E, D>(device, self.rows, self.vocab);
        let result = D::cross_entropy(x.retaped(), &head, &targets, Precision::F32).unwrap();
        outcome(result, &[&x, &head])
    }
}

fn cases() -> impl Iterator<Item = CrossEntropy> {
    // 300 rows are more than those of one block of logits.
    [1, 5, 33, 300].into_iter().flat_map(|rows| {
        [(5, 3), (22, 3), (22, 300)].map(|(width, vocab)| CrossEntropy { rows, width, vocab })
    })
}

#[test]
fn follows_the_composed_one() {
    cases().for_each(|case| check(&case));
}

#[test]
fn gradients_are_finite_differences() {
    differentiate(&CrossEntropy { rows: 5, width: 3, vocab: 7 });
}

#[test]
fn log_probabilities_follow_the_composed_ones() {
    for case in cases() {
        let given = draw(&case, 1);
        let exact = case.log_probabilities::<f64, _>(&Cpu::default(), &given);
        let bound = case.roundings() as f64 * ROUNDING * largest(&exact);
        let fast = case.log_probabilities::<f32, _>(&fast(), &given);
        for (fast, exact) in fast.iter().zip(&exact) {
            assert!((fast - exact).abs() <= bound, "{case:?}: {fast} {exact}, bound {bound:e}");
        }
        assert_eq!(fast.len(), case.rows);
    }
}
