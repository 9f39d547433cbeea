use expe_core::position::PositionEncoding;
use expe_core::{Config, Model};
use serde::Serialize;

use super::{CacheType, EngineError};

/// The content of a model file and the memory that it needs. Its JSON is a stable format.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// Size of the file in bytes.
    pub file_bytes: usize,
    /// Number of parameters in the file.
    pub parameters: usize,
    /// The arithmetic that the model is computed in: floating point or integers.
    pub arithmetic: String,
    /// The configuration of the model.
    pub config: Config,
    /// Number of positions that the encoding distinguishes.
    pub positions: u32,
    /// The tensors, in the order of the file.
    pub tensors: Vec<TensorDescription>,
    /// The memory for each context and cache type.
    pub memory: Vec<MemoryNeed>,
}

/// A tensor of a model file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorDescription {
    /// Its name.
    pub name: String,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Type of its elements.
    #[serde(rename = "numbers")]
    pub dtype: String,
    /// Its size in bytes.
    pub bytes: usize,
}

/// The RAM in bytes that decoding one sequence token by token needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemoryNeed {
    /// Number of positions.
    pub context: usize,
    /// Type of the cached keys and values.
    #[serde(rename = "cache_numbers")]
    pub cache_type: String,
    /// Bytes of the key-value cache.
    pub cache: usize,
    /// Bytes of the workspace.
    pub workspace: usize,
    /// Bytes of both.
    pub total: usize,
}

/// Describes `model`, whose file has `file_bytes` bytes, and its memory for each of `contexts`. If `contexts` is
/// empty, it is 1, 4 and 16 times the training length.
///
/// # Errors
/// [`EngineError::Context`] for a context that the position encoding does not support.
pub fn describe(
    model: &Model<'_>,
    file_bytes: usize,
    contexts: &[usize],
) -> Result<Description, EngineError> {
    let config = *model.config();
    let positions = model.position()?.length();
    let tensors: Vec<TensorDescription> = model
        .tensors()
        .map(|tensor| TensorDescription {
            name: tensor.shape.id.to_string(),
            rows: tensor.shape.rows,
            columns: tensor.shape.columns,
            dtype: tensor.dtype.to_string(),
            bytes: tensor.bytes.len(),
        })
        .collect();
    let too_long = contexts.iter().find(|context| **context as u64 > u64::from(positions));
    if let Some(&context) = too_long {
        return Err(EngineError::Context { context, positions });
    }
    let contexts = match contexts {
        [] => [1, 4, 16]
            .map(|factor| factor * config.context)
            .into_iter()
            .filter(|context| *context as u64 <= u64::from(positions))
            .collect(),
        contexts => contexts.to_vec(),
    };
    let memory = contexts
        .into_iter()
        .flat_map(|context| {
            CacheType::supported_by(model).iter().map(move |cache_type| {
                let word = size_of::<u32>();
                let cache = cache_type.cache_len(&config, context).saturating_mul(word);
                let workspace = config.workspace_len(1, context).saturating_mul(word);
                let total = cache.saturating_add(workspace);
                let cache_type = cache_type.to_string();
                MemoryNeed { context, cache_type, cache, workspace, total }
            })
        })
        .collect();
    let parameters = tensors.iter().map(|tensor| tensor.rows * tensor.columns).sum();
    let arithmetic = model.execution().to_string();
    Ok(Description { file_bytes, parameters, arithmetic, config, positions, tensors, memory })
}
