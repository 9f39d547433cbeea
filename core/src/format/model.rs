use zerocopy::FromBytes;

use super::directory::Entry;
use super::header::{Header, TokenizerKind};
use super::{
    ALIGNMENT, CHECKED_FROM, CRC, ENTRY_LEN, FormatError, Numbers, TensorKind, TensorShape,
    header_len, layout,
};
use crate::kernels::{F16, Matrix, Weights};
use crate::model::Config;
use crate::position::{Position, PositionError, Shape};
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
        check_tensors(tensors, header.tensors)?;
        Self::view(config, tokenizer, tensors).ok_or(too_short)
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
        Some(Self { config, tokenizer, tensors, embed, position, layers, final_norm, head })
    }

    /// The model's shape.
    pub const fn config(&self) -> &Config {
        &self.config
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
        Position::new(&self.config.position, Shape { width, heads, head_width }, self.position)
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

/// The tensors from one point of the directory on.
#[derive(Debug, Clone, Copy)]
struct Tensors<'m> {
    bytes: &'m [u8],
    config: Config,
    directory: &'m [u8],
    offset: u64,
}

impl<'m> Tensors<'m> {
    /// The next tensor, which must have this shape.
    fn next(&mut self, shape: &TensorShape) -> Option<(Entry, &'m [u8])> {
        let (entry, directory) = self.directory.split_at_checked(ENTRY_LEN)?;
        let entry = Entry::parse(entry, shape, self.offset).ok()?;
        let start = usize::try_from(entry.offset).ok()?;
        let len = usize::try_from(entry.len).ok()?;
        let bytes = self.bytes.get(start..)?.get(..len)?;
        (self.directory, self.offset) = (directory, entry.end()?);
        Some((entry, bytes))
    }

    fn matrix(&mut self, kind: TensorKind, layer: u32) -> Option<Matrix<'m>> {
        let (rows, columns) = kind.shape(&self.config)?;
        let shape = TensorShape { id: super::TensorId { kind, layer }, rows, columns };
        let (entry, bytes) = self.next(&shape)?;
        let weights = match entry.numbers {
            Numbers::F32 => Weights::F32(<[f32]>::ref_from_bytes(bytes).ok()?),
            Numbers::F16 => Weights::F16(<[u16]>::ref_from_bytes(bytes).ok()?),
        };
        Matrix::new(weights, rows, columns)
    }

    /// The elements of a tensor that is always `f32`; none if the model has no such tensor.
    fn floats(&mut self, kind: TensorKind, layer: u32) -> Option<&'m [f32]> {
        let Some((rows, columns)) = kind.shape(&self.config) else {
            return Some(&[]);
        };
        let shape = TensorShape { id: super::TensorId { kind, layer }, rows, columns };
        let (_, bytes) = self.next(&shape)?;
        <[f32]>::ref_from_bytes(bytes).ok()
    }

    fn layer(&mut self, layer: u32) -> Option<Layer<'m>> {
        Some(Layer {
            attn_norm: self.floats(TensorKind::AttnNorm, layer)?,
            wq: self.matrix(TensorKind::Wq, layer)?,
            query_columns: self.floats(TensorKind::QueryColumns, layer)?,
            wk: self.matrix(TensorKind::Wk, layer)?,
            key_columns: self.floats(TensorKind::KeyColumns, layer)?,
            wv: self.matrix(TensorKind::Wv, layer)?,
            wo: self.matrix(TensorKind::Wo, layer)?,
            mlp_norm: self.floats(TensorKind::MlpNorm, layer)?,
            w1: self.matrix(TensorKind::W1, layer)?,
            w3: match TensorKind::W3.shape(&self.config) {
                Some(_) => Some(self.matrix(TensorKind::W3, layer)?),
                None => None,
            },
            w2: self.matrix(TensorKind::W2, layer)?,
        })
    }
}

/// Check alignment, the fixed part and the lengths in it.
fn check_front(bytes: &[u8]) -> Result<Header, FormatError> {
    let header = Header::parse(bytes)?;
    let found = bytes.len() as u64;
    if header.file_len > found {
        return Err(FormatError::TooShort { needed: header.file_len, found });
    }
    if header.file_len < found {
        let expected = header.file_len;
        return Err(FormatError::Length { what: "model file", expected, found });
    }
    let remainder = bytes.as_ptr().addr() % ALIGNMENT;
    if remainder != 0 {
        return Err(FormatError::Misaligned { remainder });
    }
    // Reserved and unused fields are those that writing the same header again would leave zero.
    for ((byte, canonical), offset) in bytes.iter().zip(header.emit()).zip(0..) {
        if *byte != canonical {
            return Err(FormatError::Reserved { offset });
        }
    }
    if header.tokenizer == TokenizerKind::Bytes && header.merges != 0 {
        return Err(FormatError::Unknown { field: "merges", value: header.merges });
    }
    let expected = header_len(header.merges, header.tensors).ok_or(FormatError::TooLarge)?;
    let header_found = u64::from(header.header_len);
    if header_found != expected {
        return Err(FormatError::Length { what: "header", expected, found: header_found });
    }
    if expected > found {
        return Err(FormatError::TooShort { needed: expected, found });
    }
    Ok(header)
}

/// Check every tensor: its entry, that it lies in the file, its padding, that it is finite; and
/// that the file ends with the last one.
fn check_tensors(mut rest: Tensors<'_>, count: u32) -> Result<(), FormatError> {
    let file_len = rest.bytes.len() as u64;
    let mut seen = 0u32;
    for shape in layout(&rest.config) {
        let (entry, _) = rest
            .directory
            .split_at_checked(ENTRY_LEN)
            .ok_or(FormatError::Unknown { field: "tensors", value: count })?;
        let entry = Entry::parse(entry, &shape, rest.offset)?;
        let needed = entry.end().ok_or(FormatError::TooLarge)?;
        let too_short = FormatError::TooShort { needed, found: file_len };
        if needed > file_len {
            return Err(too_short);
        }
        let (_, bytes) = rest.next(&shape).ok_or(too_short)?;
        let finite = match entry.numbers {
            Numbers::F32 => <[f32]>::ref_from_bytes(bytes)
                .is_ok_and(|weights| weights.iter().all(|weight| weight.is_finite())),
            Numbers::F16 => <[u16]>::ref_from_bytes(bytes)
                .is_ok_and(|weights| weights.iter().all(|weight| F16::is_finite(*weight))),
        };
        if !finite {
            return Err(FormatError::NotFinite { tensor: shape.id });
        }
        zeros(rest.bytes, entry.offset.saturating_add(entry.len), needed)?;
        seen = seen.saturating_add(1);
    }
    if seen != count {
        return Err(FormatError::Unknown { field: "tensors", value: count });
    }
    if rest.offset != file_len {
        let (expected, found) = (rest.offset, file_len);
        return Err(FormatError::Length { what: "model file", expected, found });
    }
    Ok(())
}

/// Check that the bytes `from..to` are zero.
fn zeros(bytes: &[u8], from: u64, to: u64) -> Result<(), FormatError> {
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let padding = range.and_then(|(from, to)| bytes.get(from..to)).unwrap_or(&[]);
    match padding.iter().zip(from..).find(|(byte, _)| **byte != 0) {
        Some((_, offset)) => Err(FormatError::Reserved { offset }),
        None => Ok(()),
    }
}
