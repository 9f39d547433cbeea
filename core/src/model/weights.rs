use crate::format::{Execution, File, FormatError, StoredTensor, Tensors};
use crate::kernels::Matrix;
use crate::position::{ModelDims, Position, PositionError};
use crate::shape::{Config, TensorId, TensorKind, layout};
use crate::token::Tokenizer;

/// A checked model file, read in place: no access can fail.
///
/// ```no_run
/// use expe_core::Model;
/// # fn show(bytes: &[u8]) -> Result<(), expe_core::format::FormatError> {
/// let model = Model::new(bytes)?;
/// assert_eq!(model.layers().count(), model.config().layers);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Model<'m> {
    file: File<'m>,
    embed: Matrix<'m>,
    position: &'m [f32],
    /// The tensors of the layers, and those after them.
    layers: Tensors<'m>,
    final_norm: &'m [f32],
    head: Matrix<'m>,
}

/// Which model a cache or a workspace was made for: the checksum of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ModelId(pub(super) u32);

impl<'m> Model<'m> {
    /// Checks `bytes`, a whole model file: its structure, its checksum, and that every weight is finite.
    /// Whether the position encoding can be built is checked by [`position`](Self::position).
    ///
    /// # Errors
    /// The first [`FormatError`] found.
    pub fn new(bytes: &'m [u8]) -> Result<Self, FormatError> {
        let file = File::new(bytes)?;
        // Unreachable: a checked file holds all of its tensors.
        let needed = bytes.len() as u64;
        Self::view(file).ok_or(FormatError::TooShort { needed, found: needed })
    }

    /// Returns the views of a checked file.
    fn view(file: File<'m>) -> Option<Self> {
        let config = &file.config;
        let mut rest = file.tensors;
        let embed = rest.matrix(config, TensorKind::Embed, 0)?;
        let position = rest.floats(config, TensorKind::Position, 0)?;
        let layers = rest;
        for layer in 0..config.layers as u32 {
            Layer::read(&mut rest, config, layer)?;
        }
        let final_norm = rest.floats(config, TensorKind::FinalNorm, 0)?;
        let head = if config.tied_head { embed } else { rest.matrix(config, TensorKind::Head, 0)? };
        Some(Self { file, embed, position, layers, final_norm, head })
    }

    /// Returns the identity of the file.
    pub(super) const fn id(&self) -> ModelId {
        ModelId(self.file.checksum)
    }

    /// Returns the model's configuration.
    pub const fn config(&self) -> &Config {
        &self.file.config
    }

    /// Returns the arithmetic that the file was exported for.
    pub const fn execution(&self) -> Execution {
        self.file.execution
    }

    /// Returns the largest magnitude in the residual stream that integer arithmetic must hold, as
    /// measured on text at export; 0 if it was not measured.
    pub const fn residual_range(&self) -> f32 {
        self.file.residual_range
    }

    /// Returns the model's tokenizer.
    pub const fn tokenizer(&self) -> Tokenizer<'m> {
        self.file.tokenizer
    }

    /// Returns the token embeddings `[vocab, width]`.
    pub const fn embed(&self) -> Matrix<'m> {
        self.embed
    }

    /// Returns the table of learned positions, `context` rows of `width`; empty for other encodings.
    pub const fn position_table(&self) -> &'m [f32] {
        self.position
    }

    /// Builds the model's position encoding.
    ///
    /// This links all encodings. Firmware that knows its model's encoding saves flash by building only
    /// that one, such as [`Expe`](crate::position::Expe).
    ///
    /// # Errors
    /// The [`PositionError`] of the encoding's constructor.
    pub fn position(&self) -> Result<Position<'m>, PositionError> {
        let Config { width, heads, head_width, .. } = self.file.config;
        Position::new(
            &self.file.config.position,
            ModelDims { width, heads, head_width },
            self.position,
        )
    }

    /// Returns the layers, from first to last.
    pub const fn layers(&self) -> Layers<'_, 'm> {
        let config = &self.file.config;
        Layers { config, rest: self.layers, layers: 0..config.layers as u32 }
    }

    /// Returns the gain of the norm before the head.
    pub const fn final_norm(&self) -> &'m [f32] {
        self.final_norm
    }

    /// Returns the output head `[vocab, width]`; the embedding if they are tied.
    pub const fn head(&self) -> Matrix<'m> {
        self.head
    }

    /// Returns all matrices, in the file's order.
    pub fn matrices(&self) -> impl Iterator<Item = (TensorId, Matrix<'m>)> {
        self.tensors()
            .filter(|tensor| tensor.shape.id.kind.is_matrix())
            .filter_map(|tensor| Some((tensor.shape.id, tensor.matrix()?)))
    }

    /// Returns all tensors as they are stored, in the file's order.
    pub fn tensors(&self) -> impl Iterator<Item = StoredTensor<'m>> {
        let mut rest = self.file.tensors;
        layout(&self.file.config).map_while(move |shape| rest.tensor(shape))
    }
}

/// The weights of one layer; see the [file's specification](crate::format) for the shapes.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'m> {
    /// Gain of the norm before attention.
    pub attn_norm: &'m [f32],
    /// Query projection, without the overridden columns.
    pub wq: Matrix<'m>,
    /// Sums of the overridden columns of the query projection, one row of `query_width` per digit.
    pub query_folded: &'m [f32],
    /// Key projection, without the overridden columns.
    pub wk: Matrix<'m>,
    /// Sums of the overridden columns of the key projection, one row of `key_width` per digit.
    pub key_folded: &'m [f32],
    /// Value projection.
    pub wv: Matrix<'m>,
    /// Output projection of the attention.
    pub wo: Matrix<'m>,
    /// Gain of the norm before the MLP.
    pub mlp_norm: &'m [f32],
    /// Inner projection of the MLP.
    pub w1: Matrix<'m>,
    /// Gate of the MLP, with SwiGLU.
    pub w3: Option<Matrix<'m>>,
    /// Outer projection of the MLP.
    pub w2: Matrix<'m>,
}

impl<'m> Layer<'m> {
    /// Reads the tensors of the next layer.
    fn read(rest: &mut Tensors<'m>, config: &Config, layer: u32) -> Option<Self> {
        Some(Self {
            attn_norm: rest.floats(config, TensorKind::AttnNorm, layer)?,
            wq: rest.matrix(config, TensorKind::Wq, layer)?,
            query_folded: rest.floats(config, TensorKind::QueryFolded, layer)?,
            wk: rest.matrix(config, TensorKind::Wk, layer)?,
            key_folded: rest.floats(config, TensorKind::KeyFolded, layer)?,
            wv: rest.matrix(config, TensorKind::Wv, layer)?,
            wo: rest.matrix(config, TensorKind::Wo, layer)?,
            mlp_norm: rest.floats(config, TensorKind::MlpNorm, layer)?,
            w1: rest.matrix(config, TensorKind::W1, layer)?,
            w3: match TensorKind::W3.shape(config) {
                Some(_) => Some(rest.matrix(config, TensorKind::W3, layer)?),
                None => None,
            },
            w2: rest.matrix(config, TensorKind::W2, layer)?,
        })
    }
}

/// The layers of a [`Model`].
#[derive(Debug, Clone)]
pub struct Layers<'a, 'm> {
    config: &'a Config,
    rest: Tensors<'m>,
    layers: core::ops::Range<u32>,
}

impl<'m> Iterator for Layers<'_, 'm> {
    type Item = Layer<'m>;

    fn next(&mut self) -> Option<Layer<'m>> {
        Layer::read(&mut self.rest, self.config, self.layers.next()?)
    }
}
