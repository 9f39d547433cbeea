use dfdx::dtypes::Dtype;
use dfdx::shapes::Shape;
use dfdx::tensor::Tensor;
use expe_core::{Activation, Config};

use super::ModelError;
use crate::ops::{Backend, Matrix, Vector};

/// The role of a parameter, which decides its initial values and whether weight decay applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A projection inside a layer, or a free output head.
    Projection,
    /// A projection that adds to the residual stream (`wo`, `w2`).
    Residual,
    /// The token embedding.
    Embedding,
    /// The learned position table.
    Position,
    /// The gain of a norm.
    Norm,
}

impl Kind {
    /// Returns whether decoupled weight decay applies: to projections only, as is common.
    pub const fn decays(self) -> bool {
        matches!(self, Self::Projection | Self::Residual)
    }
}

/// The parameters of one layer; matrices are `[out, in]`.
#[derive(Debug)]
pub struct Layer<E: Dtype, D: Backend<E>> {
    /// Gain of the norm in front of attention, `[width]`.
    pub attn_norm: Vector<E, D>,
    /// Query projection, `[heads·head_width, width]`.
    pub wq: Matrix<E, D>,
    /// Key projection, `[kv_heads·head_width, width]`.
    pub wk: Matrix<E, D>,
    /// Value projection, `[kv_heads·head_width, width]`.
    pub wv: Matrix<E, D>,
    /// Attention output, `[width, heads·head_width]`.
    pub wo: Matrix<E, D>,
    /// Gain of the norm in front of the MLP, `[width]`.
    pub mlp_norm: Vector<E, D>,
    /// First MLP projection, `[hidden, width]`.
    pub w1: Matrix<E, D>,
    /// Second MLP projection, `[width, hidden]`.
    pub w2: Matrix<E, D>,
    /// Gated MLP projection (SwiGLU only), `[hidden, width]`.
    pub w3: Option<Matrix<E, D>>,
}

/// All parameters of a model.
#[derive(Debug)]
pub struct Weights<E: Dtype, D: Backend<E>> {
    /// Token embedding, `[vocab, width]`.
    pub embed: Matrix<E, D>,
    /// Learned position table, `[context, width]`.
    pub position: Option<Matrix<E, D>>,
    /// The layers.
    pub layers: Vec<Layer<E, D>>,
    /// Gain of the last norm, `[width]`.
    pub final_norm: Vector<E, D>,
    /// Output head, `[vocab, width]`; absent when it is the embedding.
    pub head: Option<Matrix<E, D>>,
}

/// A visitor that reads every parameter.
pub trait Visit<E: Dtype, D: Backend<E>> {
    /// The visitor's error.
    type Error;

    /// Reads the parameter `name`.
    ///
    /// # Errors
    /// The visitor's own.
    fn visit<S: Shape>(
        &mut self,
        name: &str,
        kind: Kind,
        parameter: &Tensor<S, E, D>,
    ) -> Result<(), Self::Error>;
}

/// A visitor that may change every parameter.
pub trait VisitMut<E: Dtype, D: Backend<E>> {
    /// The visitor's error.
    type Error;

    /// Reads or changes the parameter `name`.
    ///
    /// # Errors
    /// The visitor's own.
    fn visit<S: Shape>(
        &mut self,
        name: &str,
        kind: Kind,
        parameter: &mut Tensor<S, E, D>,
    ) -> Result<(), Self::Error>;
}

/// Visits all parameters, for shared and for exclusive access.
macro_rules! walk {
    ($self:ident, $visitor:ident, $iter:ident, $($reference:tt)+) => {{
        $visitor.visit("embed.weight", Kind::Embedding, $($reference)+ $self.embed)?;
        if let Some(position) = $($reference)+ $self.position {
            $visitor.visit("position.weight", Kind::Position, position)?;
        }
        for (index, layer) in $self.layers.$iter().enumerate() {
            let name = |part: &str| format!("layers.{index}.{part}.weight");
            $visitor.visit(&name("attn_norm"), Kind::Norm, $($reference)+ layer.attn_norm)?;
            $visitor.visit(&name("attn.wq"), Kind::Projection, $($reference)+ layer.wq)?;
            $visitor.visit(&name("attn.wk"), Kind::Projection, $($reference)+ layer.wk)?;
            $visitor.visit(&name("attn.wv"), Kind::Projection, $($reference)+ layer.wv)?;
            $visitor.visit(&name("attn.wo"), Kind::Residual, $($reference)+ layer.wo)?;
            $visitor.visit(&name("mlp_norm"), Kind::Norm, $($reference)+ layer.mlp_norm)?;
            $visitor.visit(&name("mlp.w1"), Kind::Projection, $($reference)+ layer.w1)?;
            $visitor.visit(&name("mlp.w2"), Kind::Residual, $($reference)+ layer.w2)?;
            if let Some(w3) = $($reference)+ layer.w3 {
                $visitor.visit(&name("mlp.w3"), Kind::Projection, w3)?;
            }
        }
        $visitor.visit("final_norm.weight", Kind::Norm, $($reference)+ $self.final_norm)?;
        if let Some(head) = $($reference)+ $self.head {
            $visitor.visit("head.weight", Kind::Projection, head)?;
        }
        Ok(())
    }};
}

impl<E: Dtype, D: Backend<E>> Weights<E, D> {
    /// Creates parameters of the right shapes, all zero.
    ///
    /// # Errors
    /// [`ModelError::Device`] when memory runs out.
    pub fn zeros(config: &Config, device: &D) -> Result<Self, ModelError> {
        let matrix = |out, input| device.try_zeros_like(&(out, input)).map_err(ModelError::device);
        let vector = |width| device.try_zeros_like(&(width,)).map_err(ModelError::device);
        let Config { vocab, width, hidden, .. } = *config;
        let (queries, keys) = (config.query_width(), config.key_width());
        let gated = config.activation == Activation::SwiGlu;
        let layer = |_| {
            Ok::<_, ModelError>(Layer {
                attn_norm: vector(width)?,
                wq: matrix(queries, width)?,
                wk: matrix(keys, width)?,
                wv: matrix(keys, width)?,
                wo: matrix(width, queries)?,
                mlp_norm: vector(width)?,
                w1: matrix(hidden, width)?,
                w2: matrix(width, hidden)?,
                w3: gated.then(|| matrix(hidden, width)).transpose()?,
            })
        };
        let learned = config.position.needs_table();
        Ok(Self {
            embed: matrix(vocab, width)?,
            position: learned.then(|| matrix(config.context, width)).transpose()?,
            layers: (0..config.layers).map(layer).collect::<Result<_, _>>()?,
            final_norm: vector(width)?,
            head: (!config.tied_head).then(|| matrix(vocab, width)).transpose()?,
        })
    }

    /// Passes every parameter to `visitor`, always in the same order.
    ///
    /// # Errors
    /// The visitor's first error.
    pub fn visit<V: Visit<E, D>>(&self, visitor: &mut V) -> Result<(), V::Error> {
        walk!(self, visitor, iter, &)
    }

    /// Passes every parameter to `visitor` to change, always in the same order.
    ///
    /// # Errors
    /// The visitor's first error.
    pub fn visit_mut<V: VisitMut<E, D>>(&mut self, visitor: &mut V) -> Result<(), V::Error> {
        walk!(self, visitor, iter_mut, &mut)
    }
}
