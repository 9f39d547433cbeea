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
    /// Floating point or integers.
    pub arithmetic: String,
    /// The shape of the model.
    pub config: Config,
    /// Number of positions that the encoding distinguishes.
    pub positions: u32,
    /// The tensors, in the order of the file.
    pub tensors: Vec<TensorDescription>,
    /// The memory by context and type of the cache.
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
    /// Its type.
    pub numbers: String,
    /// Its size in bytes.
    pub bytes: usize,
}

/// RAM in bytes for decoding one sequence token by token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemoryNeed {
    /// Number of positions.
    pub context: usize,
    /// Type of the cached keys and values.
    pub cache_numbers: String,
    /// Bytes of the key-value cache.
    pub cache: usize,
    /// Bytes of the workspace.
    pub workspace: usize,
    /// Bytes of both.
    pub total: usize,
}

/// Describes `model`, whose file has `file_bytes` bytes, with its memory for each of `contexts`, by default 1, 4
/// and 16 times the training length.
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
            numbers: tensor.dtype.to_string(),
            bytes: tensor.bytes.len(),
        })
        .collect();
    let beyond = contexts.iter().find(|context| **context as u64 > u64::from(positions));
    if let Some(&context) = beyond {
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
            CacheType::supported_by(model).iter().map(move |numbers| {
                let word = size_of::<u32>();
                let cache = numbers.cache_len(&config, context).saturating_mul(word);
                let workspace = config.workspace_len(1, context).saturating_mul(word);
                let total = cache.saturating_add(workspace);
                let cache_numbers = numbers.to_string();
                MemoryNeed { context, cache_numbers, cache, workspace, total }
            })
        })
        .collect();
    let parameters = tensors.iter().map(|tensor| tensor.rows * tensor.columns).sum();
    let arithmetic = model.execution().to_string();
    Ok(Description { file_bytes, parameters, arithmetic, config, positions, tensors, memory })
}
