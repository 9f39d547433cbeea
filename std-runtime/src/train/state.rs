use std::collections::HashMap;
use std::path::Path;

use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Gradients, Tensor};
use serde::{Deserialize, Serialize};

use super::folder::{MODEL_FILE, TRAINER_FILE, read, write};
use super::{AdamW, Best, LossScale, TrainError};
use crate::config::{Precision, RunConfig};
use crate::model::{
    Kind, ModelError, Stored, Tensors, Transformer, Visit, Weights, read_tensors, write_tensors,
};
use crate::ops::Kernels;

/// Everything that training keeps from one step to the next.
#[derive(Debug)]
pub struct State<D: Kernels> {
    /// Number of completed steps.
    pub step: u64,
    /// The latest parameters.
    pub model: Transformer<D>,
    /// The moments of the optimizer.
    pub optimizer: AdamW<D>,
    /// The loss scale, if the precision is [`Precision::Mixed`].
    pub loss_scale: Option<LossScale>,
    /// The parameters of the best validation.
    pub best: Option<(Best, Tensors)>,
}

/// The state in `trainer.safetensors` that is not a tensor: JSON under the metadata key `state`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    step: u64,
    /// Fingerprint of the text in hexadecimal, because JSON numbers are exact only up to 2^53.
    data: String,
    best_step: Option<u64>,
    best_loss: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss_scale: Option<LossScale>,
}

const VERSION: u32 = 1;
const KEY: &str = "state";

impl<D: Kernels> State<D> {
    /// Creates the state before the first step.
    ///
    /// # Errors
    /// Same as [`Transformer::new`].
    pub fn new(config: &RunConfig, device: &D) -> Result<Self, TrainError> {
        let model = Transformer::new(&config.model, device, config.train.seed)?;
        let (optimizer, loss_scale) = (AdamW::default(), loss_scale(config));
        Ok(Self { step: 0, model, optimizer, loss_scale, best: None })
    }

    /// Replaces `trainer.safetensors`, then `model.safetensors`.
    ///
    /// # Errors
    /// [`TrainError::Io`] if a file cannot be written; the old file then remains intact.
    pub fn save(&mut self, folder: &Path, data: u64) -> Result<(), TrainError> {
        let mut tensors = Tensors::new();
        let latest = self.model.weights.to_tensors();
        tensors.extend(prefixed("latest", latest));
        for (prefix, moments) in
            [("first", &mut self.optimizer.first), ("second", &mut self.optimizer.second)]
        {
            let mut save = Save { moments, prefix, tensors: &mut tensors };
            self.model.weights.visit(&mut save)?;
        }
        if let Some((_, best)) = &self.best {
            tensors.extend(prefixed("best", best.clone()));
        }
        let best = self.best.as_ref().map(|(best, _)| best);
        let header = Header {
            version: VERSION,
            step: self.step,
            data: format!("{data:016x}"),
            best_step: best.map(|best| best.step),
            best_loss: best.map(|best| best.loss),
            loss_scale: self.loss_scale,
        };
        let header = serde_json::to_string(&header).map_err(|error| TrainError::State {
            path: folder.join(TRAINER_FILE),
            message: error.to_string(),
        })?;
        let metadata = HashMap::from([(KEY.to_string(), header)]);
        write(folder, TRAINER_FILE, &write_tensors(&tensors, Some(metadata))?)?;
        self.save_model(folder)
    }

    /// Replaces `model.safetensors` if it differs from the state. It contains the best parameters, or before the
    /// first validation the latest ones.
    ///
    /// # Errors
    /// [`TrainError::Io`] if the file cannot be written.
    pub fn save_model(&self, folder: &Path) -> Result<(), TrainError> {
        let bytes = match &self.best {
            Some((_, best)) => write_tensors(best, None)?,
            None => write_tensors(&self.model.weights.to_tensors(), None)?,
        };
        let path = folder.join(MODEL_FILE);
        if read(&path).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        Ok(write(folder, MODEL_FILE, &bytes)?)
    }

    /// Reads `trainer.safetensors`.
    ///
    /// # Errors
    /// [`TrainError::Io`] when it cannot be read, [`TrainError::File`] or [`TrainError::State`] when it is
    /// damaged or belongs to another model, [`TrainError::DataChanged`] when it was trained on other text.
    pub fn load(
        folder: &Path,
        config: &RunConfig,
        device: &D,
        data: u64,
    ) -> Result<Self, TrainError> {
        let path = folder.join(TRAINER_FILE);
        let bytes = read(&path)?;
        let damaged = |message: String| TrainError::State { path: path.clone(), message };
        let header = header(&bytes).map_err(damaged)?;
        let stored = u64::from_str_radix(&header.data, 16)
            .map_err(|error| damaged(format!("fingerprint `{}`: {error}", header.data)))?;
        if stored != data {
            let folder = folder.into();
            return Err(TrainError::DataChanged { folder, stored, given: data });
        }
        let wrong = |source| TrainError::File { path: path.clone(), source };
        let mut groups: HashMap<&str, Tensors> = HashMap::new();
        for (name, stored) in read_tensors(&bytes).map_err(wrong)? {
            let prefixes = ["latest", "first", "second", "best"];
            let split = name.split_once('/').and_then(|(prefix, rest)| {
                prefixes.iter().find(|known| **known == prefix).map(|known| (*known, rest))
            });
            let Some((prefix, rest)) = split else {
                return Err(wrong(ModelError::Unexpected { name, found: stored.shape }));
            };
            groups.entry(prefix).or_default().insert(rest.to_string(), stored);
        }
        let mut group = |name| groups.remove(name).unwrap_or_default();
        let weights = |tensors| Weights::from_tensors(&config.model, device, tensors);
        let model = Transformer::from_weights(
            &config.model,
            device,
            weights(group("latest")).map_err(wrong)?,
        )?;
        let mut optimizer = AdamW::default();
        for (moments, tensors) in
            [(&mut optimizer.first, group("first")), (&mut optimizer.second, group("second"))]
        {
            let checked = weights(tensors.clone()).map_err(wrong)?;
            drop(checked);
            model.weights.visit(&mut Load { moments, tensors })?;
        }
        let best = match (header.best_step, header.best_loss) {
            (Some(step), Some(loss)) => {
                let tensors = group("best");
                drop(weights(tensors.clone()).map_err(wrong)?);
                Some((Best { step, loss }, tensors))
            }
            _ => None,
        };
        let loss_scale = loss_scale(config).map(|new| header.loss_scale.unwrap_or(new));
        Ok(Self { step: header.step, model, optimizer, loss_scale, best })
    }
}

/// Returns the initial loss scale, if the configuration needs one.
fn loss_scale(config: &RunConfig) -> Option<LossScale> {
    (config.train.precision == Precision::Mixed).then(LossScale::default)
}

fn header(bytes: &[u8]) -> Result<Header, String> {
    let (_, metadata) =
        safetensors::SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let text = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let text = text.ok_or_else(|| format!("metadata `{KEY}` is missing"))?;
    let header: Header =
        serde_json::from_str(text).map_err(|error| format!("metadata `{KEY}`: {error}"))?;
    if header.version != VERSION {
        return Err(format!("version {} is not supported, only {VERSION} is", header.version));
    }
    Ok(header)
}

fn prefixed(prefix: &str, tensors: Tensors) -> impl Iterator<Item = (String, Stored)> {
    tensors.into_iter().map(move |(name, stored)| (format!("{prefix}/{name}"), stored))
}

struct Save<'a, D: Kernels> {
    moments: &'a mut Gradients<f32, D>,
    prefix: &'a str,
    tensors: &'a mut Tensors,
}

impl<D: Kernels> Visit<f32, D> for Save<'_, D> {
    type Error = ModelError;

    fn visit<S: Shape>(
        &mut self,
        name: &str,
        _: Kind,
        parameter: &Tensor<S, f32, D>,
    ) -> Result<(), ModelError> {
        let buffer = self.moments.get_or_alloc_mut(parameter).map_err(ModelError::device)?;
        let values = parameter.device().download(buffer).map_err(ModelError::device)?;
        let shape = parameter.shape().concrete().into_iter().collect();
        self.tensors.insert(format!("{}/{name}", self.prefix), Stored { shape, values });
        Ok(())
    }
}

struct Load<'a, D: Kernels> {
    moments: &'a mut Gradients<f32, D>,
    tensors: Tensors,
}

impl<D: Kernels> Visit<f32, D> for Load<'_, D> {
    type Error = ModelError;

    fn visit<S: Shape>(
        &mut self,
        name: &str,
        _: Kind,
        parameter: &Tensor<S, f32, D>,
    ) -> Result<(), ModelError> {
        let expected: Vec<usize> = parameter.shape().concrete().into_iter().collect();
        let stored = match self.tensors.remove(name) {
            Some(stored) if stored.shape == expected => stored,
            Some(Stored { shape: found, .. }) => {
                return Err(ModelError::Shape { name: name.to_string(), expected, found });
            }
            None => return Err(ModelError::Missing { name: name.to_string(), expected }),
        };
        let buffer = self.moments.get_or_alloc_mut(parameter).map_err(ModelError::device)?;
        parameter.device().overwrite(buffer, &stored.values).map_err(ModelError::device)
    }
}
