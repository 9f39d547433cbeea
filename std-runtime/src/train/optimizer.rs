use dfdx::shapes::Shape;
use dfdx::tensor::{Gradients, Storage, Tensor};
use dfdx::tensor_ops::{AdamConfig, WeightDecay};

use crate::config::TrainConfig;
use crate::model::{Kind, ModelError, Visit, VisitMut, Weights};
use crate::ops::bridge::Stored;
use crate::ops::{AdamWStep, GradientList, Kernels, update};

/// AdamW (Loshchilov and Hutter, 2019) with clipping of the global gradient norm.
#[derive(Debug)]
pub struct AdamW<D: Kernels> {
    /// First moments, by parameter.
    pub first: Gradients<f32, D>,
    /// Second moments, by parameter.
    pub second: Gradients<f32, D>,
}

/// The parameters of one optimizer step.
#[derive(Debug, Clone, Copy)]
pub struct Update {
    /// Number of the update, counted from 1.
    pub time: u64,
    /// Learning rate.
    pub rate: f64,
    /// Loss scale: the factor that every gradient was multiplied by.
    pub scale: f32,
    /// Global norm of the gradients, without the loss scale.
    pub norm: f64,
}

impl<D: Kernels> Default for AdamW<D> {
    fn default() -> Self {
        Self { first: Gradients::leaky(), second: Gradients::leaky() }
    }
}

impl<D: Kernels> AdamW<D> {
    /// Updates `weights` by one step.
    ///
    /// With the gradient `g`, clipped to the global norm `clip`: `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`,
    /// `w ← w − rate·(m̂/(√v̂ + ε) + decay·w)`, where `m̂ = m/(1−β₁^t)` and `v̂ = v/(1−β₂^t)`.
    ///
    /// `gradients` are in the order of [`Weights::visit`].
    ///
    /// # Errors
    /// [`ModelError::Device`] if the device fails.
    pub fn update(
        &mut self,
        weights: &mut Weights<f32, D>,
        gradients: GradientList<D>,
        config: &TrainConfig,
        update: &Update,
    ) -> Result<(), ModelError> {
        let Update { time, rate, scale, norm } = *update;
        let clipped = config.clip > 0.0 && norm > config.clip;
        let mut apply = Apply {
            time: i32::try_from(time).unwrap_or(i32::MAX),
            adam: AdamConfig {
                lr: rate,
                betas: [config.beta1, config.beta2],
                eps: config.epsilon,
                weight_decay: None,
            },
            decay: config.weight_decay,
            factor: if clipped { (config.clip / norm) as f32 } else { 1.0 } / scale,
            gradients: gradients.into_iter(),
            moments: self,
            updates: D::Updates::default(),
        };
        weights.visit_mut(&mut apply)?;
        D::finish_updates(apply.updates).map_err(ModelError::device)
    }
}

struct Apply<'a, D: Kernels> {
    time: i32,
    adam: AdamConfig,
    decay: f64,
    factor: f32,
    gradients: std::vec::IntoIter<Stored<D>>,
    moments: &'a mut AdamW<D>,
    updates: D::Updates,
}

impl<D: Kernels> VisitMut<f32, D> for Apply<'_, D> {
    type Error = ModelError;

    fn visit<S: Shape>(
        &mut self,
        _: &str,
        kind: Kind,
        parameter: &mut Tensor<S, f32, D>,
    ) -> Result<(), ModelError> {
        let Some(gradient) = self.gradients.next() else { return Ok(()) };
        let first = self.moments.first.get_or_alloc_mut(parameter).map_err(ModelError::device)?;
        let second = self.moments.second.get_or_alloc_mut(parameter).map_err(ModelError::device)?;
        let weight_decay = kind.decays().then_some(WeightDecay::Decoupled(self.decay));
        let config = AdamConfig { weight_decay, ..self.adam };
        let step = AdamWStep::new(&config, self.time, self.factor);
        update(&mut self.updates, step, parameter, [first, second], gradient)
            .map_err(ModelError::device)
    }
}

/// Takes the gradients of the parameters from the result of a backward pass, and frees the rest, which is as large
/// as all activations.
///
/// # Errors
/// [`ModelError::Device`] if the device fails.
pub fn leaves<D: Kernels>(
    weights: &Weights<f32, D>,
    mut gradients: Gradients<f32, D>,
) -> Result<GradientList<D>, ModelError> {
    let mut take = Take { gradients: &mut gradients, leaves: Vec::new() };
    weights.visit(&mut take)?;
    Ok(take.leaves)
}

struct Take<'a, D: Kernels> {
    gradients: &'a mut Gradients<f32, D>,
    leaves: GradientList<D>,
}

impl<D: Kernels> Visit<f32, D> for Take<'_, D> {
    type Error = ModelError;

    fn visit<S: Shape>(
        &mut self,
        _: &str,
        _: Kind,
        parameter: &Tensor<S, f32, D>,
    ) -> Result<(), ModelError> {
        let gradient = self.gradients.get_or_alloc_mut(parameter).map_err(ModelError::device)?;
        // One element, because not every device can allocate an empty buffer.
        let device = parameter.device();
        let placeholder = Storage::<f32>::try_alloc_len(device, 1).map_err(ModelError::device)?;
        self.leaves.push(std::mem::replace(gradient, placeholder));
        Ok(())
    }
}
