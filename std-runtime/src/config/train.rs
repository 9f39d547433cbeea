use serde::{Deserialize, Serialize};

use super::Precision;

/// How a model is trained.
///
/// One *step* is one change of the parameters, from `batch · accumulate` windows of `model.context`
/// tokens. The learning rate rises linearly over `warmup` steps to `learning_rate` and then falls
/// along half a cosine to `final_learning_rate`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Decides the fresh parameters, the windows and the dropout.
    pub seed: u64,
    /// Changes of the parameters.
    pub steps: u64,
    /// Windows per forward pass.
    pub batch: usize,
    /// Forward and backward passes per step, whose gradients are averaged.
    #[serde(default = "one")]
    pub accumulate: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Learning rate of the last step.
    #[serde(default)]
    pub final_learning_rate: f64,
    /// Steps until the highest learning rate is reached.
    #[serde(default)]
    pub warmup: u64,
    /// Decoupled weight decay of the projections; norms, embeddings and positions have none.
    #[serde(default = "weight_decay")]
    pub weight_decay: f64,
    /// Decay of the first moment.
    #[serde(default = "beta1")]
    pub beta1: f64,
    /// Decay of the second moment.
    #[serde(default = "beta2")]
    pub beta2: f64,
    /// What is added to the root of the second moment.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
    /// Largest norm of all gradients together; longer ones are shortened to it. 0 for no limit.
    #[serde(default = "clip")]
    pub clip: f64,
    /// The numbers that products with weights are computed with.
    #[serde(default)]
    pub precision: Precision,
    /// Share of elements dropped from embeddings and from what layers add to the residual stream.
    #[serde(default)]
    pub dropout: f32,
    /// Steps between two validations; each is followed by a checkpoint.
    pub validate_every: u64,
    /// Tokens of held-out text in one validation, at most.
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
    /// `steps` steps of `batch` windows at a peak of `learning_rate`, everything else as usual:
    /// warm-up over a twentieth of the steps, a final rate of a tenth of the peak, ten validations.
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
