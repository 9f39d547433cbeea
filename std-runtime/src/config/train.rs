use serde::{Deserialize, Serialize};

use super::Precision;

/// How a model is trained.
///
/// A *step* is one update of the parameters, computed from `batch · accumulate` windows of `model.context`
/// tokens. The learning rate rises linearly over `warmup` steps to `learning_rate` and then falls along half a
/// cosine to `final_learning_rate`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Seed of the initial parameters, the choice of windows and dropout.
    pub seed: u64,
    /// Number of steps.
    pub steps: u64,
    /// Number of windows per forward pass.
    pub batch: usize,
    /// Number of forward and backward passes per step; their gradients are averaged.
    #[serde(default = "one")]
    pub accumulate: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Learning rate of the last step.
    #[serde(default)]
    pub final_learning_rate: f64,
    /// Number of steps until the highest learning rate is reached.
    #[serde(default)]
    pub warmup: u64,
    /// Decoupled weight decay of the projections. Norms, embeddings and learned positions do not decay.
    #[serde(default = "weight_decay")]
    pub weight_decay: f64,
    /// Decay rate of the first moment.
    #[serde(default = "beta1")]
    pub beta1: f64,
    /// Decay rate of the second moment.
    #[serde(default = "beta2")]
    pub beta2: f64,
    /// Added to the square root of the second moment.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
    /// Maximum global norm of the gradients; larger gradients are scaled down to it. 0 disables clipping.
    #[serde(default = "clip")]
    pub clip: f64,
    /// Precision of matrix products with weights.
    #[serde(default)]
    pub precision: Precision,
    /// Fraction of elements dropped from the embeddings and from the outputs that layers add to the residual
    /// stream.
    #[serde(default)]
    pub dropout: f32,
    /// Number of steps between validations. Each validation is followed by a checkpoint.
    pub validate_every: u64,
    /// Maximum number of held-out tokens per validation.
    #[serde(default = "validation_tokens")]
    pub validation_tokens: usize,
}

const fn one() -> usize {
    1
}

const fn weight_decay() -> f64 {
    0.1
}

const fn beta1() -> f64 {
    0.9
}

const fn beta2() -> f64 {
    0.99
}

const fn epsilon() -> f64 {
    1e-8
}

const fn clip() -> f64 {
    1.0
}

const fn validation_tokens() -> usize {
    16_384
}

impl TrainConfig {
    /// Creates a configuration with `steps` steps of `batch` windows and the peak learning rate `learning_rate`.
    ///
    /// Defaults: warm-up over 5 % of the steps, a final learning rate of 10 % of the peak, ten validations.
    pub fn new(steps: u64, batch: usize, learning_rate: f64) -> Self {
        Self {
            seed: 0,
            steps,
            batch,
            accumulate: one(),
            learning_rate,
            final_learning_rate: learning_rate / 10.0,
            warmup: steps / 20,
            weight_decay: weight_decay(),
            beta1: beta1(),
            beta2: beta2(),
            epsilon: epsilon(),
            clip: clip(),
            precision: Precision::default(),
            dropout: 0.0,
            validate_every: (steps / 10).max(1),
            validation_tokens: validation_tokens(),
        }
    }
}
