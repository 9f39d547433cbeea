/// What is known after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps to do in all.
    pub steps: u64,
    /// Mean loss of the step's windows, in nats per token.
    pub loss: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Norm of all gradients together, before it is limited; not finite after a step that mixed precision
    /// skipped.
    pub gradient_norm: f64,
    /// Tokens trained on per second, over this session and without validation and checkpoints.
    pub tokens_per_second: f64,
    /// Validation loss, after the steps that are followed by a validation.
    pub validation: Option<f64>,
    /// The best validation so far.
    pub best: Option<Best>,
}

/// A validation that no earlier one was below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    /// Steps done when it was made.
    pub step: u64,
    /// Its loss, in nats per token.
    pub loss: f64,
}

/// How training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All steps are done.
    Finished,
    /// It was asked to stop; everything is saved and can be resumed.
    Interrupted,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Steps done, earlier sessions included.
    pub step: u64,
    /// The best validation; its parameters are in `model.safetensors`.
    pub best: Option<Best>,
    /// Tokens trained on per second in this session; 0 when there was nothing left to do.
    pub tokens_per_second: f64,
}
