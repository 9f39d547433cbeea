use dfdx::dtypes::Dtype;
use dfdx::shapes::HasShape;
use dfdx::tensor::{Tape, ZerosTensor};
use dfdx::tensor_ops::{Device, TryMul};
use expe_core::internals::Random;

use super::{Matrix, scalar, tensor};

/// Which elements are dropped: a pure function of seed, pass, and site, so that a resumed run drops the same
/// ones without saving the state of a generator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Share of elements that become zero, in `[0, 1)`.
    pub rate: f32,
    /// Seed of the run.
    pub seed: u64,
    /// The number of forward passes before this one in the whole run.
    pub pass: u64,
}

impl Dropout {
    /// The number of sites of one forward pass that have their own generators.
    const SITES: u64 = 1 << 20;
}

/// Zeroes each element with probability `rate` and multiplies the others by `1/(1 − rate)`; `site` is the index
/// of the place in the forward pass.
pub fn dropout<E: Dtype, D: Device<E> + ZerosTensor<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    dropout: Option<&Dropout>,
    site: u64,
) -> Result<Matrix<E, D, T>, D::Err> {
    let Some(dropout) = dropout.filter(|dropout| dropout.rate > 0.0) else {
        return Ok(x);
    };
    let shape = *x.shape();
    let key = dropout.pass.wrapping_mul(Dropout::SITES).wrapping_add(site);
    let mut random = Random::keyed(dropout.seed, key);
    let kept: E = scalar(1.0 / (1.0 - f64::from(dropout.rate)));
    let mask: Vec<E> = (0..shape.0 * shape.1)
        .map(|_| if random.uniform() < dropout.rate { E::default() } else { kept })
        .collect();
    let mask = tensor(x.device(), shape, &mask)?;
    x.try_mul(mask)
}

#[cfg(test)]
mod tests {
    use super::super::composed::testing::matrix;
    use super::*;

    fn ones() -> Matrix<f64, dfdx::tensor::Cpu> {
        let mut x = matrix(100, 100, 0);
        x.copy_from(&[1.0; 10_000]);
        x
    }

    #[test]
    fn drops_its_share_and_scales_the_rest() {
        let config = Dropout { rate: 0.25, seed: 1, pass: 2 };
        let found = dropout(ones(), Some(&config), 3).unwrap().as_vec();
        let dropped = found.iter().filter(|x| **x == 0.0).count();
        assert!(found.iter().all(|x| *x == 0.0 || *x == 4.0 / 3.0));
        // Binomial: mean 2 500, deviation 43; six deviations.
        assert!(dropped.abs_diff(2_500) < 260, "{dropped}");
    }

    #[test]
    fn depends_on_seed_pass_and_site_alone() {
        let config = Dropout { rate: 0.5, seed: 1, pass: 2 };
        let at = |config: Dropout, site| dropout(ones(), Some(&config), site).unwrap().as_vec();
        let base = at(config, 3);
        assert_eq!(base, at(config, 3));
        assert_ne!(base, at(config, 4));
        assert_ne!(base, at(Dropout { seed: 9, ..config }, 3));
        assert_ne!(base, at(Dropout { pass: 9, ..config }, 3));
    }

    #[test]
    fn a_rate_of_zero_changes_nothing() {
        let x = matrix(3, 3, 1);
        assert_eq!(dropout(x.clone(), None, 0).unwrap().as_vec(), x.as_vec());
        let zero = Dropout { rate: 0.0, seed: 1, pass: 2 };
        assert_eq!(dropout(x.clone(), Some(&zero), 0).unwrap().as_vec(), x.as_vec());
    }
}
