use dfdx::tensor::NoneTape;
use expe_core::position::PositionError;

use crate::device::Backend;
use crate::model::{ModelError, Sites, Transformer};
use crate::ops;
use crate::train::split_windows;

/// Something that predicts text.
pub trait Scorer {
    /// `log p` of every token of every window but the first, given those before it in the window, in
    /// nats: for windows of `n + 1` tokens, `n` numbers each, window after window.
    ///
    /// All windows have one length.
    ///
    /// # Errors
    /// [`ScoreError::Length`] when the windows are longer than the model's positions reach,
    /// [`ScoreError::Failed`] for anything else.
    fn log_probabilities(&mut self, windows: &[&[u32]]) -> Result<Vec<f32>, ScoreError>;
}

/// Why text cannot be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// The model does not reach this far; shorter windows may work.
    #[error("{0}")]
    Length(String),
    /// Anything else.
    #[error("{0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ModelError> for ScoreError {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::Position { source: PositionError::BeyondLength { .. }, .. } => {
                Self::Length(error.to_string())
            }
            _ => Self::Failed(Box::new(error)),
        }
    }
}

/// Scores with a dfdx model; memory grows with the number of windows given at once.
#[derive(Debug)]
pub struct ModelScorer<'a, D: Backend> {
    model: &'a Transformer<D>,
    sites: Option<Sites<f32, D>>,
}

impl<'a, D: Backend> ModelScorer<'a, D> {
    /// Score with `model`.
    pub const fn new(model: &'a Transformer<D>) -> Self {
        Self { model, sites: None }
    }
}

impl<D: Backend> Scorer for ModelScorer<'_, D> {
    fn log_probabilities(&mut self, windows: &[&[u32]]) -> Result<Vec<f32>, ScoreError> {
        let length = windows.first().map_or(0, |window| window.len().saturating_sub(1));
        let (inputs, targets) = split_windows(windows);
        let sites = match self.sites.take() {
            Some(sites) if sites.length == length => sites,
            _ => self.model.sites(length)?,
        };
        let logits = self.model.forward(&inputs, &sites, None, NoneTape)?;
        self.sites = Some(sites);
        let targets = self.model.indices(&targets)?;
        let scores = ops::log_probabilities(logits, targets).map_err(ModelError::device)?;
        Ok(scores.as_vec())
    }
}
