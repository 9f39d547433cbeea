use dfdx::dtypes::Dtype;
use expe::config::Precision;
use expe::ops::{Backend, Matrix};

use super::{Case, Leaf, Outcome, check, differentiate, leaf, outcome};

#[derive(Debug)]
struct Project {
    rows: usize,
    inputs: usize,
    outputs: usize,
    residual: bool,
}

impl Case for Project {
    fn inputs(&self) -> Vec<(usize, f32)> {
        let Self { rows, inputs, outputs, residual } = *self;
        let sizes = [(rows * inputs, 1.0), (outputs * inputs, 1.0), (rows * outputs, 1.0)];
        sizes[..2 + usize::from(residual)].to_vec()
    }

    /// A sum over inputs, outputs, or rows, with a product and an addition for each term, added to what was there.
    fn roundings(&self) -> usize {
        self.rows.max(self.inputs).max(self.outputs) + 2
    }

    fn run<E: Dtype, D: Backend<E>>(&self, device: &D, given: &[Vec<f64>]) -> Outcome {
        let x: Matrix<E, D> = leaf(device, (self.rows, self.inputs), &given[0]);
        let weight: Matrix<E, D> = leaf(device, (self.outputs, self.inputs), &given[1]);
        let residual: Option<Matrix<E, D>> =
            given.get(2).map(|residual| leaf(device, (self.rows, self.outputs), residual));
        let before = residual.as_ref().map(|residual| residual.retaped());
        let result = D::project(before, x.retaped(), &weight, Precision::F32).unwrap();
        let mut leaves: Vec<&dyn Leaf<E, D>> = vec![&x, &weight];
        leaves.extend(residual.as_ref().map(|residual| residual as &dyn Leaf<E, D>));
        outcome(result, &leaves)
    }
}

#[test]
fn follows_the_composed_one() {
    for residual in [false, true] {
        for rows in [1, 5, 33] {
            for (inputs, outputs) in [(1, 1), (3, 77), (22, 29), (130, 7)] {
                check(&Project { rows, inputs, outputs, residual });
            }
        }
    }
}

#[test]
fn gradients_are_finite_differences() {
    for residual in [false, true] {
        differentiate(&Project { rows: 5, inputs: 7, outputs: 3, residual });
    }
}
