use dfdx::shapes::Shape;
use dfdx::tensor::{Gradients, Tensor};
use dfdx::tensor_ops::{AdamConfig, WeightDecay};

use crate::config::TrainConfig;
use crate::device::Backend;
use crate::model::{Kind, ModelError, Visit, VisitMut, Weights};

/// AdamW (Loshchilov and Hutter, 2019; dfdx's kernel) with a limit on the norm of all gradients.
#[derive(Debug)]
pub struct AdamW<D: Backend> {
    /// First moments, by parameter.
    pub first: Gradients<f32, D>,
    /// Second moments, by parameter.
    pub second: Gradients<f32, D>,
}

impl<D: Backend> Default for AdamW<D> {
    fn default() -> Self {
        Self { first: Gradients::leaky(), second: Gradients::leaky() }
    }
}

impl<D: Backend> AdamW<D> {
    /// Change `weights` by one step: with `g` the gradient, shortened to norm `clip`,
    /// `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`,
    /// `w ← w − rate·(m̂/(√v̂ + ε) + decay·w)`, where the hats divide by `1 − β^t`.
    ///
    /// `step` counts from 0, `norm` is the gradients' norm.
    ///
    /// # Errors
    /// [`ModelError::Device`].
    pub fn update(
        &mut self,
        weights: &mut Weights<f32, D>,
        gradients: &mut Gradients<f32, D>,
        config: &TrainConfig,
        step: u64,
        rate: f64,
        norm: f64,
    ) -> Result<(), ModelError> {
        let clipped = config.clip > 0.0 && norm > config.clip;
        let mut update = Update {
            time: i32::try_from(step.saturating_add(1)).unwrap_or(i32::MAX),
            adam: AdamConfig {
                lr: rate,
                betas: [config.beta1, config.beta2],
                eps: config.epsilon,
                weight_decay: None,
            },
            decay: config.weight_decay,
            factor: clipped.then(|| (config.clip / norm) as f32),
            gradients,
            moments: self,
        };
        weights.visit_mut(&mut update)
    }
}

struct Update<'a, D: Backend> {
    time: i32,
    adam: AdamConfig,
    decay: f64,
    factor: Option<f32>,
    gradients: &'a mut Gradients<f32, D>,
    moments: &'a mut AdamW<D>,
}

impl<D: Backend> VisitMut<f32, D> for Update<'_, D> {
    type Error = ModelError;

    fn visit<S: Shape>(
        &mut self,
        _: &str,
        kind: Kind,
        parameter: &mut Tensor<S, f32, D>,
    ) -> Result<(), ModelError> {
        let gradient = self.gradients.get_or_alloc_mut(parameter).map_err(ModelError::device)?;
        if let Some(factor) = self.factor {
            parameter.device().scale(gradient, factor);
        }
        let first = self.moments.first.get_or_alloc_mut(parameter).map_err(ModelError::device)?;
        let second = self.moments.second.get_or_alloc_mut(parameter).map_err(ModelError::device)?;
        let weight_decay = kind.decays().then_some(WeightDecay::Decoupled(self.decay));
        AdamConfig { weight_decay, ..self.adam }
            .try_update(self.time, parameter, first, second, gradient)
            .map_err(ModelError::device)
    }
}

/// `√Σ g²` over the gradients of all parameters, summed in `f64` in a fixed order.
///
/// # Errors
/// [`ModelError::Device`].
pub fn norm<D: Backend>(
    weights: &Weights<f32, D>,
    gradients: &mut Gradients<f32, D>,
) -> Result<f64, ModelError> {
    let mut sum = SumOfSquares { gradients, sum: 0.0 };
    weights.visit(&mut sum)?;
    Ok(sum.sum.sqrt())
}

struct SumOfSquares<'a, D: Backend> {
    gradients: &'a mut Gradients<f32, D>,
    sum: f64,
}

impl<D: Backend> Visit<f32, D> for SumOfSquares<'_, D> {
    type Error = ModelError;

    fn visit<S: Shape>(
        &mut self,
        _: &str,
        _: Kind,
        parameter: &Tensor<S, f32, D>,
    ) -> Result<(), ModelError> {
        let gradient = self.gradients.get_or_alloc_mut(parameter).map_err(ModelError::device)?;
        self.sum += parameter.device().sum_of_squares(gradient);
        Ok(())
    }
}

/// The gradients of the parameters, `Σ` over `parts` in their order, in a container of their own:
/// what else a backward pass leaves behind is as large as all activations together.
///
/// # Errors
/// [`ModelError::Device`].
pub fn sum<D: Backend>(
    weights: &Weights<f32, D>,
    parts: impl IntoIterator<Item = Gradients<f32, D>>,
) -> Result<Gradients<f32, D>, ModelError> {
    let mut sum = Gradients::leaky();
    for (index, mut part) in parts.into_iter().enumerate() {
        weights.visit(&mut Add { part: &mut part, sum: &mut sum, first: index == 0 })?;
    }
    Ok(sum)
}

struct Add<'a, D: Backend> {
    part: &'a mut Gradients<f32, D>,
    sum: &'a mut Gradients<f32, D>,
    first: bool,
}

impl<D: Backend> Visit<f32, D> for Add<'_, D> {
    type Error = ModelError;

    fn visit<S: Shape>(
        &mut self,
        _: &str,
        _: Kind,
        parameter: &Tensor<S, f32, D>,
    ) -> Result<(), ModelError> {
        let part = self.part.get_or_alloc_mut(parameter).map_err(ModelError::device)?;
        let sum = self.sum.get_or_alloc_mut(parameter).map_err(ModelError::device)?;
        if self.first {
            std::mem::swap(part, sum);
        } else {
            parameter.device().add(sum, part);
        }
        Ok(())
    }
}
