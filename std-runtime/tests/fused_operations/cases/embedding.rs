use dfdx::dtypes::Dtype;
use dfdx::tensor::OwnedTape;
use expe::ops::{Backend, Fixed, Matrix, Placed, scalar};

use super::{Case, Leaf, Outcome, check, differentiate, indices, leaf, normal, outcome};

#[derive(Debug)]
struct Embed {
    sequences: usize,
    length: usize,
    width: usize,
    vocab: usize,
    fixed: bool,
    learned: bool,
}

/// Rows of a learned table beyond those of a sequence.
const BEYOND: usize = 2;

impl Case for Embed {
    fn inputs(&self) -> Vec<(usize, f32)> {
        let Self { length, width, vocab, learned, .. } = *self;
        let sizes = [(vocab * width, 1.0), ((length + BEYOND) * width, 1.0)];
        sizes[..1 + usize::from(learned)].to_vec()
    }

    /// At most a sum over rows, a factor, and two sums.
    fn roundings(&self) -> usize {
        self.sequences * self.length + 3
    }

    fn run<E: Dtype, D: Backend<E>>(&self, device: &D, given: &[Vec<f64>]) -> Outcome {
        let Self { sequences, length, width, vocab, .. } = *self;
        let table: Matrix<E, D> = leaf(device, (vocab, width), &given[0]);
        let learned: Option<Matrix<E, D>> =
            given.get(1).map(|rows| leaf(device, (length + BEYOND, width), rows));
        let fixed: Fixed<E, D> =
            (scalar(4.5), leaf(device, (length, width), &normal(length * width, 1.0, 9)));
        let placed =
            Placed { length, fixed: self.fixed.then_some(&fixed), learned: learned.as_ref() };
        let tokens = indices::<E, D>(device, sequences * length, vocab);
        let result = D::embed(&table, &tokens, &placed, OwnedTape::default()).unwrap();
        let mut leaves: Vec<&dyn Leaf<E, D>> = vec![&table];
        leaves.extend(learned.as_ref().map(|learned| learned as &dyn Leaf<E, D>));
        outcome(result, &leaves)
    }
}

const KINDS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

#[test]
fn follows_the_composed_one() {
    for (fixed, learned) in KINDS {
        for (sequences, length) in [(1, 1), (1, 5), (3, 11)] {
            for width in [1, 22, 77] {
                check(&Embed { sequences, length, width, vocab: 7, fixed, learned });
            }
        }
    }
}

/// One token has more rows than the kernel collects at a time.
#[test]
fn few_tokens_follow_the_composed_one() {
    for (fixed, learned) in KINDS {
        check(&Embed { sequences: 120, length: 25, width: 3, vocab: 2, fixed, learned });
    }
}

#[test]
fn gradients_are_finite_differences() {
    for (fixed, learned) in KINDS {
        differentiate(&Embed { sequences: 2, length: 3, width: 5, vocab: 4, fixed, learned });
    }
}
