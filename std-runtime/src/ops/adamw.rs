use dfdx::tensor_ops::{AdamConfig, WeightDecay};

/// One step of AdamW with its constants worked out, as devices take it: with `g = factor·gradient`,
/// `m ← β₁m + (1−β₁)g`, `v ← β₂v + (1−β₂)g²`, `w ← kept·w − rate·m̂/(√v̂ + ε)`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct AdamWStep {
    /// `β`.
    pub betas: [f32; 2],
    /// `1 − β`.
    pub complements: [f32; 2],
    /// `1/(1 − β^t)`.
    pub corrections: [f32; 2],
    /// The learning rate.
    pub rate: f32,
    /// `ε`.
    pub epsilon: f32,
    /// The factor of a weight: 1 less its decay.
    pub kept: f32,
    /// The factor of gradients.
    pub factor: f32,
}

impl AdamWStep {
    /// Computes the constants of step `time`, counted from 1.
    pub fn new(config: &AdamConfig, time: i32, factor: f32) -> Self {
        let decay = match config.weight_decay {
            Some(WeightDecay::Decoupled(decay)) => decay,
            _ => 0.0,
        };
        Self {
            betas: config.betas.map(|beta| beta as f32),
            complements: config.betas.map(|beta| (1.0 - beta) as f32),
            corrections: config.betas.map(|beta| (1.0 / (1.0 - beta.powi(time))) as f32),
            rate: config.lr as f32,
            epsilon: config.eps as f32,
            kept: (1.0 - config.lr * decay) as f32,
            factor,
        }
    }
}
