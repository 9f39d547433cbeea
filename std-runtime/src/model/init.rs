use std::convert::Infallible;

use dfdx::dtypes::Dtype;
use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::Tensor;
use expe_core::Config;
use expe_core::internals::Random;

use super::{Kind, ModelError, VisitMut, Weights};
use crate::ops::{Backend, scalar};

/// The standard deviation of initial weights.
const DEVIATION: f64 = 0.02;

struct Init {
    random: Random,
    residual: f64,
}

impl<E: Dtype, D: Backend<E>> VisitMut<E, D> for Init {
    type Error = Infallible;

    fn visit<S: Shape>(
        &mut self,
        _: &str,
        kind: Kind,
        parameter: &mut Tensor<S, E, D>,
    ) -> Result<(), Infallible> {
        let count = parameter.shape().num_elements();
        let deviation = match kind {
            Kind::Norm => {
                parameter.copy_from(&vec![E::ONE; count]);
                return Ok(());
            }
            Kind::Residual => self.residual,
            Kind::Projection | Kind::Embedding | Kind::Position => DEVIATION,
        };
        let values: Vec<E> =
            (0..count).map(|_| scalar(deviation * f64::from(self.random.normal()))).collect();
        parameter.copy_from(&values);
        Ok(())
    }
}

impl<E: Dtype, D: Backend<E>> Weights<E, D> {
    /// Creates initial parameters: gains 1, everything else normal with deviation 0.02, the projections onto
    /// the residual stream narrower by `1/√(2·layers)` (Radford et al., 2019). The numbers depend
    /// on `seed` and the configuration alone.
    ///
    /// # Errors
    /// [`ModelError::Device`] when memory runs out.
    pub fn random(config: &Config, device: &D, seed: u64) -> Result<Self, ModelError> {
        let mut weights = Self::zeros(config, device)?;
        let residual = DEVIATION / (2.0 * config.layers as f64).sqrt();
        let mut init = Init { random: Random::new(seed), residual };
        match weights.visit_mut(&mut init) {
            Ok(()) => Ok(weights),
        }
    }
}
