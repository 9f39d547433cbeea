/// The state of a training after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps of the whole training.
    pub steps: u64,
    /// Mean loss of the step's windows, in nats per token.
    pub loss: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Global norm of the gradients before clipping; not finite if mixed precision skipped the step.
    pub gradient_norm: f64,
    /// Training tokens per second in this session, without validation and checkpoints.
    pub tokens_per_second: f64,
    /// Validation loss in nats per token, if this step was followed by a validation.
    pub validation: Option<f64>,
    /// The validation with the lowest loss so far.
    pub best: Option<Best>,
}

/// The validation with the lowest loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Steps done before it.
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

/// The result of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Steps done, including earlier sessions.
    pub step: u64,
    /// The validation with the lowest loss; its parameters are in `model.safetensors`.
    pub best: Option<Best>,
    /// Training tokens per second in this session; 0 if no step was left.
    pub tokens_per_second: f64,
}
