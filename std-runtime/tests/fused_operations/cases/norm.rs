use dfdx::dtypes::Dtype;
use expe::ops::{Backend, Matrix, Vector};
use expe_core::Norm;

use super::{Case, Outcome, check, differentiate, leaf, outcome};

#[derive(Debug)]
struct Normalize {
    rows: usize,
    width: usize,
    norm: Norm,
}

impl Case for Normalize {
    fn inputs(&self) -> Vec<(usize, f32)> {
        vec![(self.rows * self.width, 1.0), (self.width, 1.0)]
    }

    /// Mean, square, and product with the gradient are sums over a row, and the gradient of the weight is a sum over
    /// rows, with a dozen operations between them.
    fn roundings(&self) -> usize {
        3 * self.width + self.rows + 12
    }

    fn run<E: Dtype, D: Backend<E>>(&self, device: &D, given: &[Vec<f64>]) -> Outcome {
        let x: Matrix<E, D> = leaf(device, (self.rows, self.width), &given[0]);
        let weight: Vector<E, D> = leaf(device, (self.width,), &given[1]);
        let result = D::norm(x.retaped(), &weight, 1e-5, self.norm).unwrap();
        outcome(result, &[&x, &weight])
    }
}

#[test]
fn follows_the_composed_one() {
    for norm in [Norm::RmsNorm, Norm::LayerNorm] {
        for rows in [1, 5, 33] {
            for width in [3, 22, 77, 130] {
                check(&Normalize { rows, width, norm });
            }
        }
    }
}

/// There are several rows for each of the shares that the gradient of the gain is summed in.
#[test]
fn many_rows_follow_the_composed_one() {
    for norm in [Norm::RmsNorm, Norm::LayerNorm] {
        check(&Normalize { rows: 1100, width: 5, norm });
    }
}

#[test]
fn gradients_are_finite_differences() {
    for norm in [Norm::RmsNorm, Norm::LayerNorm] {
        differentiate(&Normalize { rows: 5, width: 7, norm });
    }
}
