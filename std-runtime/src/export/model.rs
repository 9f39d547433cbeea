use std::path::Path;

use expe_core::internals::{DType, Storage};

use super::write::write;
use super::{ExportError, Scheme};
use crate::engine::{EngineError, ModelFile};
use crate::ops::Backend;
use crate::quantize::{
    Calibration, CalibrationText, MatrixError, Quantized, calibration_windows, quantize,
};
use crate::train::TrainedModel;

/// A model in the `.expe` format, in memory.
#[derive(Debug)]
pub struct Exported {
    /// The file; [`save`](crate::export::save) writes it to disk.
    pub file: ModelFile,
    /// The rounding error of each matrix; empty for a floating-point format.
    pub errors: Vec<MatrixError>,
}

/// Exports `trained` with its matrices in the floating-point type `dtype`.
///
/// # Errors
/// [`ExportError`] when the format cannot represent the model.
pub fn float<D: Backend>(
    trained: &TrainedModel<D>,
    dtype: DType,
) -> Result<ModelFile, ExportError> {
    file(trained, dtype.into(), None)
}

/// Exports `trained` in `scheme`. If the scheme stores integers, matrices are quantized after a calibration on
/// about `tokens` tokens of `text`.
///
/// # Errors
/// [`ExportError`] when the format cannot represent the model, or when the model cannot be run on the text.
///
/// # Examples
/// ```no_run
/// use std::path::Path;
///
/// use expe::device::Cpu;
/// use expe::export::{Scheme, quantized, save};
/// use expe::quantize::CalibrationText;
/// use expe::train::TrainedModel;
///
/// let trained = TrainedModel::open(Path::new("runs/mine"), &Cpu::default())?;
/// let exported = quantized(&trained, Scheme::Integer, CalibrationText::Generated, 8_192)?;
/// save(&exported.file, Path::new("model.expe"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn quantized<D: Backend>(
    trained: &TrainedModel<D>,
    scheme: Scheme,
    text: CalibrationText<'_>,
    tokens: usize,
) -> Result<Exported, ExportError> {
    if !scheme.layers().is_integer() {
        return Ok(Exported { file: float(trained, scheme.layers())?, errors: Vec::new() });
    }
    let exact = float(trained, DType::F32)?;
    let model = exact.model()?;
    let windows = calibration_windows(&model, text, tokens)?;
    let windows: Vec<&[u32]> = windows.iter().map(Vec::as_slice).collect();
    let calibration = Calibration::new(&model, &windows)?;
    let tensors = trained.model.weights.to_tensors();
    let storage = scheme.storage(calibration.residual_range());
    let matrices = quantize(&trained.config.model, &tensors, &calibration, &storage)?;
    let file = file(trained, storage, Some(&matrices))?;
    Ok(Exported { file, errors: matrices.errors().to_vec() })
}

fn file<D: Backend>(
    trained: &TrainedModel<D>,
    storage: Storage,
    matrices: Option<&Quantized>,
) -> Result<ModelFile, ExportError> {
    let tensors = trained.model.weights.to_tensors();
    let mut bytes = Vec::new();
    let config = &trained.config.model;
    write(config, &tensors, &trained.tokenizer, storage, matrices, &mut bytes)?;
    let file = ModelFile::from_bytes(Path::new("the exported model"), &bytes)?;
    // Rejects a file that could be loaded but not run, because its position encoding cannot be built.
    file.model()?.position().map_err(EngineError::from)?;
    Ok(file)
}
