use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::Tensor;
use expe_core::Config;
use expe_core::internals::{TensorKind, layout};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::{Kind, ModelError, Transformer, Visit, VisitMut, Weights};
use crate::ops::Backend;

/// A tensor in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Sizes of its dimensions.
    pub shape: Vec<usize>,
    /// Its elements in row-major order.
    pub values: Vec<f32>,
}

/// Tensors by name.
pub type Tensors = BTreeMap<String, Stored>;

/// Serializes tensors as a safetensors file; equal inputs give equal bytes.
///
/// # Errors
/// [`ModelError::Format`] when a shape does not fit its values.
pub fn write_tensors(
    tensors: &Tensors,
    metadata: Option<HashMap<String, String>>,
) -> Result<Vec<u8>, ModelError> {
    let bytes: BTreeMap<&str, (Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .map(|(name, stored)| {
            let bytes = stored.values.iter().flat_map(|x| x.to_le_bytes()).collect();
            (name.as_str(), (stored.shape.clone(), bytes))
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, (shape, bytes))| {
            Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?))
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    Ok(safetensors::serialize(views, metadata)?)
}

/// Reads the tensors of a safetensors file, which must be finite `f32`.
///
/// # Errors
/// [`ModelError::Format`], [`ModelError::Dtype`] or [`ModelError::NotFinite`].
pub fn read_tensors(bytes: &[u8]) -> Result<Tensors, ModelError> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut tensors = Tensors::new();
    for (name, view) in file.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(ModelError::Dtype { name, found: format!("{:?}", view.dtype()) });
        }
        let values: Vec<f32> = view
            .data()
            .chunks_exact(4)
            .filter_map(|bytes| bytes.try_into().ok())
            .map(f32::from_le_bytes)
            .collect();
        if let Some((index, value)) = values.iter().enumerate().find(|(_, x)| !x.is_finite()) {
            return Err(ModelError::NotFinite { name, index, value: *value });
        }
        tensors.insert(name, Stored { shape: view.shape().to_vec(), values });
    }
    Ok(tensors)
}

struct Save(Tensors);

impl<D: Backend> Visit<f32, D> for Save {
    type Error = Infallible;

    fn visit<S: Shape>(
        &mut self,
        name: &str,
        _: Kind,
        parameter: &Tensor<S, f32, D>,
    ) -> Result<(), Infallible> {
        let shape = parameter.shape().concrete().into_iter().collect();
        self.0.insert(name.to_string(), Stored { shape, values: parameter.as_vec() });
        Ok(())
    }
}

struct Load(Tensors);

impl<D: Backend> VisitMut<f32, D> for Load {
    type Error = ModelError;

    fn visit<S: Shape>(
        &mut self,
        name: &str,
        _: Kind,
        parameter: &mut Tensor<S, f32, D>,
    ) -> Result<(), ModelError> {
        let expected: Vec<usize> = parameter.shape().concrete().into_iter().collect();
        let Some(stored) = self.0.remove(name) else {
            return Err(ModelError::Missing { name: name.to_string(), expected });
        };
        if stored.shape != expected {
            let found = stored.shape;
            return Err(ModelError::Shape { name: name.to_string(), expected, found });
        }
        parameter.copy_from(&stored.values);
        Ok(())
    }
}

/// Checks that every tensor that `config` needs is present in its shape.
fn fit(config: &Config, tensors: &Tensors) -> Result<(), ModelError> {
    // Without folded columns, a model file has the tensors of a checkpoint.
    let position = config.position.unfolded();
    for wanted in layout(&Config { position, ..*config }) {
        let name = wanted.id.to_string();
        let vector = matches!(
            wanted.id.kind,
            TensorKind::AttnNorm | TensorKind::MlpNorm | TensorKind::FinalNorm
        );
        let expected =
            if vector { vec![wanted.columns] } else { vec![wanted.rows, wanted.columns] };
        match tensors.get(&name) {
            None => return Err(ModelError::Missing { name, expected }),
            Some(Stored { shape, .. }) if *shape != expected => {
                return Err(ModelError::Shape { name, expected, found: shape.clone() });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

impl<D: Backend> Weights<f32, D> {
    /// Copies all parameters by name.
    pub fn to_tensors(&self) -> Tensors {
        let mut save = Save(Tensors::new());
        match self.visit(&mut save) {
            Ok(()) => save.0,
        }
    }

    /// Creates the parameters that `config` needs from `tensors`.
    ///
    /// # Errors
    /// [`ModelError::Missing`], [`ModelError::Shape`] or [`ModelError::Unexpected`].
    pub fn from_tensors(config: &Config, device: &D, tensors: Tensors) -> Result<Self, ModelError> {
        // Checked before memory is allocated: a configuration can ask for any amount.
        fit(config, &tensors)?;
        let mut weights = Self::zeros(config, device)?;
        let mut load = Load(tensors);
        weights.visit_mut(&mut load)?;
        match load.0.pop_first() {
            Some((name, stored)) => Err(ModelError::Unexpected { name, found: stored.shape }),
            None => Ok(weights),
        }
    }
}

/// Serializes `model.safetensors`: every parameter under its PyTorch name, matrices `[out, in]`,
/// `f32`, little-endian.
///
/// # Errors
/// As [`write_tensors`].
pub fn to_safetensors<D: Backend>(model: &Transformer<D>) -> Result<Vec<u8>, ModelError> {
    write_tensors(&model.weights.to_tensors(), None)
}

/// Creates the model that `config` describes from the bytes of a `model.safetensors`.
///
/// # Errors
/// As [`read_tensors`] and [`Weights::from_tensors`], and [`ModelError::Config`].
pub fn from_safetensors<D: Backend>(
    config: &Config,
    device: &D,
    bytes: &[u8],
) -> Result<Transformer<D>, ModelError> {
    config.check()?;
    let weights = Weights::from_tensors(config, device, read_tensors(bytes)?)?;
    Transformer::from_weights(config, device, weights)
}
