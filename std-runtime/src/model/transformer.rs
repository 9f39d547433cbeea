use dfdx::dtypes::Dtype;
use dfdx::tensor::{NoneTape, PutTape, Tape, Tensor};
use dfdx::tensor_ops::{TryAdd, TryMul};
use expe_core::model::{Activation, Config, Norm};

use super::{Layer, ModelError, Sites, Weights};
use crate::device::{Backend, tensor};
use crate::ops::{self, Dropout, Heads, Matrix, Relative, Vector};

/// A pre-norm decoder-only transformer.
///
/// ```
/// use expe_core::model::{Activation, Config, Norm};
/// use expe_core::position::PositionConfig;
/// use expe_runtime::{device::Cpu, model::Transformer};
/// let config = Config {
///     vocab: 256, width: 16, layers: 1, heads: 2, kv_heads: 1, head_width: 8, hidden: 32,
///     context: 8, norm: Norm::RmsNorm, epsilon: 1e-5, activation: Activation::Gelu,
///     tied_head: true, position: PositionConfig::Alibi,
/// };
/// let model = Transformer::<Cpu>::new(&config, &Cpu::default(), 0)?;
/// // Two sequences of three tokens: six rows of 256 logits.
/// assert_eq!(model.logits(&[1, 2, 3, 4, 5, 6], 2)?.len(), 6 * 256);
/// # Ok::<(), expe_runtime::model::ModelError>(())
/// ```
#[derive(Debug, Clone)]
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

    /// The model's shape.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Where its parameters live.
    pub const fn device(&self) -> &D {
        &self.device
    }

    /// The constants of a pass over `length` positions.
    ///
    /// # Errors
    /// As [`Sites::new`].
    pub fn sites(&self, length: usize) -> Result<Sites<E, D>, ModelError> {
        Sites::new(&self.config, length, &self.device)
    }

    /// The logits of every position of `batch` sequences of equal length, row by row:
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

    /// `tokens` as an index tensor.
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
        tensor(&self.device, (indices.len(),), &indices).map_err(ModelError::device)
    }

    /// The logits of every position, `(batch·length, vocab)`, recording gradients on `tape`.
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
        self.decode(indices, sites, &heads, dropout, tape).map_err(ModelError::device)
    }

    fn decode<T: Tape<E, D>>(
        &self,
        indices: Tensor<(usize,), usize, D>,
        sites: &Sites<E, D>,
        heads: &Heads,
        dropout: Option<&Dropout>,
        tape: T,
    ) -> Result<Matrix<E, D, T>, D::Err> {
        let Weights { embed, position, layers, final_norm, head } = &self.weights;
        let mut x = ops::embed(embed.clone().put_tape(tape), indices)?;
        if let Some((scale, rows)) = &sites.embedding {
            x = ops::add_rows(x.try_mul(*scale)?, rows.clone())?;
        }
        if let Some(table) = position {
            let first: Vec<usize> = (0..sites.length).collect();
            let first = tensor(&self.device, (sites.length,), &first)?;
            x = ops::add_rows(x, ops::embed(table.retaped::<T>(), first)?)?;
        }
        x = ops::dropout(x, dropout, 0)?;
        for (layer, site) in layers.iter().zip((1..).step_by(2)) {
            let h = self.norm(x.retaped::<T>(), &layer.attn_norm)?;
            let h = self.attend(h, layer, sites, heads)?;
            x = x.try_add(ops::dropout(h, dropout, site)?)?;
            let h = self.norm(x.retaped::<T>(), &layer.mlp_norm)?;
            let h = self.feed_forward(h, layer)?;
            x = x.try_add(ops::dropout(h, dropout, site + 1)?)?;
        }
        let x = self.norm(x, final_norm)?;
        ops::projection(x, head.as_ref().unwrap_or(embed))
    }

    fn norm<T: Tape<E, D>>(
        &self,
        x: Matrix<E, D, T>,
        weight: &Vector<E, D>,
    ) -> Result<Matrix<E, D, T>, D::Err> {
        let epsilon = f64::from(self.config.epsilon);
        match self.config.norm {
            Norm::RmsNorm => ops::rms_norm(x, weight, epsilon),
            Norm::LayerNorm => ops::layer_norm(x, weight, epsilon),
        }
    }

    fn attend<T: Tape<E, D>>(
        &self,
        h: Matrix<E, D, T>,
        layer: &Layer<E, D>,
        sites: &Sites<E, D>,
        heads: &Heads,
    ) -> Result<Matrix<E, D, T>, D::Err> {
        let (mut q, mut k);
        let mut relative = None;
        if let Some(site) = &sites.overrides {
            q = ops::masked_projection(h.retaped::<T>(), &layer.wq, &site.kept)?;
            k = ops::masked_projection(h.retaped::<T>(), &layer.wk, &site.kept)?;
            let columns = ops::digit_columns(&layer.wq, &site.runs)?;
            q = ops::add_rows(q, ops::digit_terms::<_, _, T>(&site.queries, columns)?)?;
            let columns = ops::digit_columns(&layer.wk, &site.runs)?;
            relative = Some(Relative { columns, differences: &site.differences });
        } else {
            q = ops::projection(h.retaped::<T>(), &layer.wq)?;
            k = ops::projection(h.retaped::<T>(), &layer.wk)?;
        }
        if let Some(rotary) = &sites.rotary {
            q = ops::rotate(q, rotary)?;
            k = ops::rotate(k, rotary)?;
        }
        let v = ops::projection(h, &layer.wv)?;
        let h = ops::attention(q, k, v, relative, &sites.mask, heads)?;
        ops::projection(h, &layer.wo)
    }

    fn feed_forward<T: Tape<E, D>>(
        &self,
        h: Matrix<E, D, T>,
        layer: &Layer<E, D>,
    ) -> Result<Matrix<E, D, T>, D::Err> {
        let gate = layer.w3.as_ref().map(|w3| ops::projection(h.retaped::<T>(), w3)).transpose()?;
        let inner = ops::projection(h, &layer.w1)?;
        let inner = match (self.config.activation, gate) {
            (Activation::Gelu, _) => ops::gelu(inner)?,
            (Activation::Relu, _) => ops::relu(inner)?,
            (Activation::SwiGlu, Some(gate)) => ops::silu(inner)?.try_mul(gate)?,
            (Activation::SwiGlu, None) => ops::silu(inner)?,
        };
        ops::projection(inner, &layer.w2)
    }
}
