use zerocopy::FromBytes;

use super::check::{check_front, check_tensors, zeros};
use super::header::{Header, TokenizerKind};
use super::tensors::{Tensors, weights};
use super::{
    CHECKED_FROM, CRC, ENTRY_LEN, Execution, FormatError, Numbers, TensorId, TensorKind,
    TensorShape, layout,
};
use crate::kernels::Matrix;
use crate::model::Config;
use crate::position::{ModelDims, Position, PositionError};
use crate::token::{Bpe, Tokenizer};

/// A model file, checked: all of it lies in the bytes it was made from and no access can fail.
///
/// ```no_run
/// use expe_core::format::Model;
/// # fn show(bytes: &[u8]) -> Result<(), expe_core::format::FormatError> {
/// let model = Model::new(bytes)?;
/// assert_eq!(model.layers().count(), model.config().layers);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Model<'m> {
    config: Config,
    tokenizer: Tokenizer<'m>,
    tensors: Tensors<'m>,
    embed: Matrix<'m>,
    position: &'m [f32],
    layers: Tensors<'m>,
    final_norm: &'m [f32],
    head: Matrix<'m>,
    execution: Execution,
    residual_range: f32,
}

/// The weights of one layer; see the [file's specification](super) for the shapes.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'m> {
    /// Gain of the norm before attention.
    pub attn_norm: &'m [f32],
    /// Query projection, without the overridden columns.
    pub wq: Matrix<'m>,
    /// Sums of the overridden columns of the query projection, one row of `query_width` per digit.
    pub query_columns: &'m [f32],
    /// Key projection, without the overridden columns.
    pub wk: Matrix<'m>,
    /// Sums of the overridden columns of the key projection, one row of `key_width` per digit.
    pub key_columns: &'m [f32],
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

/// One tensor as it lies in the file.
#[derive(Debug, Clone, Copy)]
pub struct StoredTensor<'m> {
    /// Which tensor, and its shape.
    pub shape: TensorShape,
    /// Its numeric format.
    pub numbers: Numbers,
    /// Its bytes, without padding.
    pub bytes: &'m [u8],
}

impl<'m> Model<'m> {
    /// Check `bytes`, a whole model file, and read it in place.
    ///
    /// Everything is looked at once: structure, checksum, and that every weight is finite. Whether
    /// the position encoding can be built is for [`position`](Self::position) to say.
    ///
    /// # Errors
    /// The first [`FormatError`] found.
    pub fn new(bytes: &'m [u8]) -> Result<Self, FormatError> {
        let header = check_front(bytes)?;
        let stored = header.checksum;
        let computed = CRC.checksum(bytes.get(CHECKED_FROM..).unwrap_or(&[]));
        if stored != computed {
            return Err(FormatError::Checksum { stored, computed });
        }
        let config = header.config;
        let file_len = bytes.len() as u64;
        let too_short = FormatError::TooShort { needed: header.header_len.into(), found: file_len };
        let (_, rest) = bytes.split_at_checked(Header::LEN).ok_or(too_short)?;
        let merges = usize::try_from(header.merges).map_err(|_| FormatError::TooLarge)?;
        let (merges, rest) =
            <[[u32; 3]]>::ref_from_prefix_with_elems(rest, merges).map_err(|_| too_short)?;
        let tokenizer = match header.tokenizer {
            TokenizerKind::Bytes => Tokenizer::Bytes,
            TokenizerKind::Bpe => Tokenizer::Bpe(Bpe::new(merges)?),
        };
        if tokenizer.vocab() != config.vocab {
            let (model, tokenizer) = (config.vocab, tokenizer.vocab());
            return Err(FormatError::Vocabulary { model, tokenizer });
        }
        let directory_len = (header.tensors as usize).checked_mul(ENTRY_LEN);
        let (directory, padding) =
            directory_len.and_then(|len| rest.split_at_checked(len)).ok_or(too_short)?;
        let tensors = Tensors { bytes, directory, config, offset: u64::from(header.header_len) };
        let directory_end = file_len.saturating_sub(padding.len() as u64);
        zeros(bytes, directory_end, tensors.offset)?;
        check_tensors(tensors, &header)?;
        let mut model = Self::view(config, tokenizer, tensors).ok_or(too_short)?;
        model.execution = header.execution;
        model.residual_range = f32::from_bits(u32::from(header.residual_range) << 16);
        Ok(model)
    }

    /// The views of a file that has been checked.
    fn view(config: Config, tokenizer: Tokenizer<'m>, tensors: Tensors<'m>) -> Option<Self> {
        let mut rest = tensors;
        let embed = rest.matrix(TensorKind::Embed, 0)?;
        let position = rest.floats(TensorKind::Position, 0)?;
        let layers = rest;
        for layer in 0..config.layers as u32 {
            rest.layer(layer)?;
        }
        let final_norm = rest.floats(TensorKind::FinalNorm, 0)?;
        let head = if config.tied_head { embed } else { rest.matrix(TensorKind::Head, 0)? };
        Some(Self {
            config,
            tokenizer,
            tensors,
            embed,
            position,
            layers,
            final_norm,
            head,
            execution: Execution::Float,
            residual_range: 0.0,
        })
    }

    /// The model's shape.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The arithmetic that the file was exported for.
    pub const fn execution(&self) -> Execution {
        self.execution
    }

    /// The largest magnitude in the residual stream that integer arithmetic must hold, as measured
    /// on text when the file was exported; 0 if it was not.
    pub const fn residual_range(&self) -> f32 {
        self.residual_range
    }

    /// The model's tokenizer.
    pub const fn tokenizer(&self) -> Tokenizer<'m> {
        self.tokenizer
    }

    /// Token embeddings `[vocab, width]`.
    pub const fn embed(&self) -> Matrix<'m> {
        self.embed
    }

    /// The table of learned positions, `context` rows of `width`; empty with the other encodings.
    pub const fn position_table(&self) -> &'m [f32] {
        self.position
    }

    /// Build the model's position encoding.
    ///
    /// Firmware that knows its model's encoding saves memory by building that one itself, such as
    /// [`Expe`](crate::position::Expe): this function links all of them.
    ///
    /// # Errors
    /// The [`PositionError`] of the encoding's constructor.
    pub fn position(&self) -> Result<Position<'m>, PositionError> {
        let Config { width, heads, head_width, .. } = self.config;
        Position::new(&self.config.position, ModelDims { width, heads, head_width }, self.position)
    }

    /// The layers, from the first to the last.
    pub fn layers(&self) -> Layers<'m> {
        Layers { rest: self.layers, layers: 0..self.config.layers as u32 }
    }

    /// Gain of the norm before the head.
    pub const fn final_norm(&self) -> &'m [f32] {
        self.final_norm
    }

    /// Output head `[vocab, width]`: the embedding, if they are tied.
    pub const fn head(&self) -> Matrix<'m> {
        self.head
    }

    /// All matrices, in the file's order.
    pub fn matrices(&self) -> impl Iterator<Item = (TensorId, Matrix<'m>)> + use<'m> {
        self.tensors().filter(|tensor| tensor.shape.id.kind.is_matrix()).filter_map(|tensor| {
            let TensorShape { id, rows, columns } = tensor.shape;
            let weights = weights(tensor.bytes, tensor.numbers, rows, columns)?;
            Some((id, Matrix::new(weights, rows, columns)?))
        })
    }

    /// All tensors as they are stored, in the file's order.
    pub fn tensors(&self) -> impl Iterator<Item = StoredTensor<'m>> + use<'m> {
        let mut rest = self.tensors;
        layout(&self.config).map_while(move |shape| {
            let (entry, bytes) = rest.next(&shape)?;
            Some(StoredTensor { shape, numbers: entry.numbers, bytes })
        })
    }
}

/// The layers of a [`Model`].
#[derive(Debug, Clone)]
pub struct Layers<'m> {
    rest: Tensors<'m>,
    layers: core::ops::Range<u32>,
}

impl<'m> Iterator for Layers<'m> {
    type Item = Layer<'m>;

    fn next(&mut self) -> Option<Layer<'m>> {
        self.rest.layer(self.layers.next()?)
    }
}
