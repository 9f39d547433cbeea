use crate::config::SpecError;
use crate::data::DataError;
use crate::engine::EngineError;
use crate::model::ModelError;

/// Why a model cannot be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The text is too short or cannot be encoded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The settings of the position encoding are not valid.
    #[error(transparent)]
    Position(#[from] SpecError),
    /// The dfdx model cannot be run on the text.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The core engine cannot run the model on the text.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No length was given, or one of them is zero or too large.
    #[error("lengths must be whole multiples of the training length, at least 1")]
    NoLength,
    /// A worker thread panicked.
    #[error("a worker thread panicked, probably because memory ran out")]
    Worker,
}
