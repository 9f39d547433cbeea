/// The state of a training after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Number of completed steps.
    pub step: u64,
    /// Total number of steps.
    pub steps: u64,
    /// Mean loss of the step's windows, in nats per token.
    pub loss: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Global norm of the gradients before clipping; not finite if mixed precision skipped the step.
    pub gradient_norm: f64,
    /// Training tokens per second since training was started or resumed, excluding validation and checkpoints.
    pub tokens_per_second: f64,
    /// Validation loss in nats per token, if a validation followed this step.
    pub validation: Option<f64>,
    /// The validation with the lowest loss so far.
    pub best: Option<Best>,
}

/// The validation with the lowest loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Number of completed steps before it.
    pub step: u64,
    /// Its loss, in nats per token.
    pub loss: f64,
}

/// How training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All steps are done.
    Finished,
    /// A stop was requested; everything is saved and can be resumed.
    Interrupted,
}

/// The result of a training run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Number of completed steps, including those before a resume.
    pub step: u64,
    /// The validation with the lowest loss; its parameters are in `model.safetensors`.
    pub best: Option<Best>,
    /// Training tokens per second since training was started or resumed; 0 if no step was run.
    pub tokens_per_second: f64,
}
