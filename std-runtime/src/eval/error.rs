use crate::data::DataError;
use crate::engine::EngineError;
use crate::model::ModelError;

/// Why a model cannot be evaluated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The text is too short.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The dfdx model refuses.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The core engine refuses.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A length is not given, or zero.
    #[error("lengths are whole numbers from 1 on, in multiples of the training length")]
    NoLength,
    /// A thread that computed a part of the text died.
    #[error("a worker thread failed; run again with more memory")]
    Worker,
}
