use dfdx::dtypes::Dtype;
use dfdx::shapes::Rank0;
use dfdx::tensor::{NoneTape, Tape, Tensor};
use dfdx::tensor_ops::TryAdd;
use expe_core::Config;

use super::{Layer, ModelError, Sites, Weights};
use crate::config::Precision;
use crate::ops::{self, AttentionWeights, Backend, Dropout, FeedForward, Heads, Matrix, Placed};

/// A pre-norm decoder-only transformer.
///
/// ```
/// use expe_core::position::PositionConfig;
/// use expe_core::{Activation, Config, Norm};
/// use expe::{device::Cpu, model::Transformer};
/// let config = Config {
///     vocab: 256, width: 16, layers: 1, heads: 2, kv_heads: 1, head_width: 8, hidden: 32,
///     context: 8, norm: Norm::RmsNorm, epsilon: 1e-5, activation: Activation::Gelu,
///     tied_head: true, position: PositionConfig::None,
/// };
/// let model = Transformer::<Cpu>::new(&config, &Cpu::default(), 0)?;
/// // Two sequences of three tokens: six rows of 256 logits.
/// assert_eq!(model.logits(&[1, 2, 3, 4, 5, 6], 2)?.len(), 6 * 256);
/// # Ok::<(), expe::model::ModelError>(())
/// ```
///
/// It is not [`Clone`]: a GPU changes parameters in place, and a copy that shares its tensors would change as
/// well. [`Weights::to_tensors`] copies the numbers.
///
/// ```compile_fail,E0599
/// # use expe::{device::Cpu, model::Transformer};
/// fn copy(model: &Transformer<Cpu>) -> Transformer<Cpu> {
///     Transformer::clone(model)
/// }
/// ```
#[derive(Debug)]
pub struct Transformer<D: Backend<E>, E: Dtype = f32> {
    config: Config,
    device: D,
    /// The parameters.
    pub weights: Weights<E, D>,
}

impl<E: Dtype, D: Backend<E>> Transformer<D, E> {
    /// A model with fresh parameters that depend on `config` and `seed` alone.
    ///
    /// # Errors
    /// [`ModelError::Config`] for sizes that do not fit together, [`ModelError::Position`] for an
    /// encoding that cannot be built, [`ModelError::Device`] when memory runs out.
    pub fn new(config: &Config, device: &D, seed: u64) -> Result<Self, ModelError> {
        config.check()?;
        Sites::<E, D>::new(config, 1, device)?;
        Self::from_weights(config, device, Weights::random(config, device, seed)?)
    }

    /// A model with the given parameters.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn from_weights(
        config: &Config,
        device: &D,
        weights: Weights<E, D>,
    ) -> Result<Self, ModelError> {
        config.check()?;
        Ok(Self { config: *config, device: device.clone(), weights })
    }

    /// The model's configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The device that holds its parameters.
    pub const fn device(&self) -> &D {
        &self.device
    }

    /// Computes the constants of a forward pass over `length` positions.
    ///
    /// # Errors
    /// As [`Sites::new`].
    pub fn sites(&self, length: usize) -> Result<Sites<E, D>, ModelError> {
        Sites::new(&self.config, length, &self.device)
    }

    /// Computes the logits of every position of `batch` sequences of equal length, row by row:
    /// `batch · length` rows of `vocab` numbers, sequences one after the other.
    ///
    /// # Errors
    /// As [`forward`](Self::forward) and [`sites`](Self::sites).
    pub fn logits(&self, tokens: &[u32], batch: usize) -> Result<Vec<E>, ModelError> {
        let length = tokens.len().checked_div(batch).unwrap_or(0);
        if length * batch != tokens.len() {
            return Err(ModelError::Batch { tokens: tokens.len(), batch, length });
        }
        let sites = self.sites(length)?;
        Ok(self.forward(tokens, &sites, None, NoneTape)?.as_vec())
    }

    /// Copies `tokens` to an index tensor.
    ///
    /// # Errors
    /// [`ModelError::Token`] for a token outside the vocabulary.
    pub fn indices(&self, tokens: &[u32]) -> Result<Tensor<(usize,), usize, D>, ModelError> {
        let vocab = self.config.vocab;
        let index = |token: &u32| {
            let index = *token as usize;
            if index < vocab { Ok(index) } else { Err(ModelError::Token { token: *token, vocab }) }
        };
        let indices = tokens.iter().map(index).collect::<Result<Vec<_>, _>>()?;
        self.device.indices(indices).map_err(ModelError::device)
    }

    /// The output head: the embedding, when they are tied.
    fn head(&self) -> &Matrix<E, D> {
        self.weights.head.as_ref().unwrap_or(&self.weights.embed)
    }

    /// Computes the logits of every position, `(batch·length, vocab)`, recording gradients on `tape`.
    ///
    /// `tokens` holds whole sequences of `sites.length`, one after the other.
    ///
    /// # Errors
    /// [`ModelError::Batch`] when it does not, [`ModelError::Token`] for a token outside the
    /// vocabulary, [`ModelError::Device`] when memory runs out.
    pub fn forward<T: Tape<E, D>>(
        &self,
        tokens: &[u32],
        sites: &Sites<E, D>,
        dropout: Option<&Dropout>,
        tape: T,
    ) -> Result<Matrix<E, D, T>, ModelError> {
        let precision = Precision::F32;
        let x = self.hidden(tokens, sites, precision, dropout, tape)?;
        D::project(None, x, self.head(), precision).map_err(ModelError::device)
    }

    /// Computes the mean loss over all positions, in nats: `−log p(target)`, where `targets` holds one token for
    /// each of `tokens`. Products with weights, forward and backward, are computed
    /// with `precision`.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn loss<T: Tape<E, D>>(
        &self,
        tokens: &[u32],
        targets: &[u32],
        sites: &Sites<E, D>,
        precision: Precision,
        dropout: Option<&Dropout>,
        tape: T,
    ) -> Result<Tensor<Rank0, E, D, T>, ModelError> {
        let targets = self.targets(tokens, targets, sites)?;
        let x = self.hidden(tokens, sites, precision, dropout, tape)?;
        D::cross_entropy(x, self.head(), &targets, precision).map_err(ModelError::device)
    }

    /// Computes `log p(target)` at every position, in nats.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn log_probabilities(
        &self,
        tokens: &[u32],
        targets: &[u32],
        sites: &Sites<E, D>,
    ) -> Result<Vec<E>, ModelError> {
        let targets = self.targets(tokens, targets, sites)?;
        let x = self.hidden(tokens, sites, Precision::F32, None, NoneTape)?;
        let scores = D::log_probabilities(&x, self.head(), &targets);
        Ok(scores.map_err(ModelError::device)?.as_vec())
    }

    fn targets(
        &self,
        tokens: &[u32],
        targets: &[u32],
        sites: &Sites<E, D>,
    ) -> Result<Tensor<(usize,), usize, D>, ModelError> {
        if tokens.len() != targets.len() {
            let (tokens, length) = (targets.len(), sites.length);
            let batch = tokens.checked_div(length).unwrap_or(0);
            return Err(ModelError::Batch { tokens, batch, length });
        }
        self.indices(targets)
    }

    /// Computes the inputs of the head, `(batch·length, width)`.
    fn hidden<T: Tape<E, D>>(
        &self,
        tokens: &[u32],
        sites: &Sites<E, D>,
        precision: Precision,
        dropout: Option<&Dropout>,
        tape: T,
    ) -> Result<Matrix<E, D, T>, ModelError> {
        let length = sites.length;
        let batch = tokens.len().checked_div(length).unwrap_or(0);
        if batch == 0 || batch * length != tokens.len() {
            return Err(ModelError::Batch { tokens: tokens.len(), batch, length });
        }
        let indices = self.indices(tokens)?;
        let heads = Heads {
            batch,
            length,
            kv_heads: self.config.kv_heads,
            groups: self.config.heads / self.config.kv_heads,
            head_width: self.config.head_width,
        };
        self.decode(&indices, sites, &heads, precision, dropout, tape).map_err(ModelError::device)
    }

    fn decode<T: Tape<E, D>>(
        &self,
        tokens: &Tensor<(usize,), usize, D>,
        sites: &Sites<E, D>,
        heads: &Heads,
        precision: Precision,
        dropout: Option<&Dropout>,
        tape: T,
    ) -> Result<Matrix<E, D, T>, D::Err> {
        let Weights { embed, position, layers, final_norm, .. } = &self.weights;
        let Config { norm, activation, .. } = self.config;
        let epsilon = f64::from(self.config.epsilon);
        let dropout = dropout.filter(|dropout| dropout.rate > 0.0);
        let placed = Placed {
            length: sites.length,
            fixed: sites.embedding.as_ref(),
            learned: position.as_ref(),
        };
        let mut x = D::embed(embed, tokens, &placed, tape)?;
        x = ops::dropout(x, dropout, 0)?;
        for (layer, site) in layers.iter().zip((1..).step_by(2)) {
            let Layer { wq, wk, wv, wo, w1, w2, w3, .. } = layer;
            let h = D::norm(x.retaped::<T>(), &layer.attn_norm, epsilon, norm)?;
            let weights = AttentionWeights { wq, wk, wv, precision };
            let h = D::attend(h, &weights, &sites.attention, heads)?;
            x = residual(x, dropout, site, |x| D::project(x, h, wo, precision))?;
            let h = D::norm(x.retaped::<T>(), &layer.mlp_norm, epsilon, norm)?;
            let weights = FeedForward { w1, w2, w3: w3.as_ref(), activation, precision };
            x = residual(x, dropout, site + 1, |x| D::feed_forward(x, h, &weights))?;
        }
        D::norm(x, final_norm, epsilon, norm)
    }
}

/// Adds the result of `layer` to `x`; `layer` does it itself when there is no dropout.
fn residual<E: Dtype, D: Backend<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    dropout: Option<&Dropout>,
    site: u64,
    layer: impl FnOnce(Option<Matrix<E, D, T>>) -> Result<Matrix<E, D, T>, D::Err>,
) -> Result<Matrix<E, D, T>, D::Err> {
    match dropout {
        None => layer(Some(x)),
        dropout => x.try_add(ops::dropout(layer(None)?, dropout, site)?),
    }
}
