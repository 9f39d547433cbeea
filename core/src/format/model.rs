use zerocopy::FromBytes;

use super::directory::Entry;
use super::header::{Header, TokenizerKind};
use super::{
    ALIGNMENT, CHECKED_FROM, CRC, ENTRY_LEN, Execution, FormatError, Numbers, OLDEST_VERSION,
    TensorId, TensorKind, TensorShape, header_len, layout,
};
use crate::kernels::{
    Bf16, F16, GROUP, GROUP_BYTES, INT4_COLUMNS, INT8_COLUMNS, Matrix, Weights, rows, unpack_group,
};
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
        let shape = TensorShape { id: TensorId { kind, layer }, rows, columns };
        let (entry, bytes) = self.next(&shape)?;
        Matrix::new(weights(bytes, entry.numbers, rows, columns)?, rows, columns)
    }

    /// The elements of a tensor that is always `f32`; none if the model has no such tensor.
    fn floats(&mut self, kind: TensorKind, layer: u32) -> Option<&'m [f32]> {
        let Some((rows, columns)) = kind.shape(&self.config) else {
            return Some(&[]);
        };
        let shape = TensorShape { id: TensorId { kind, layer }, rows, columns };
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

/// The parts of a matrix stored as `numbers`.
fn weights(bytes: &[u8], numbers: Numbers, rows: usize, columns: usize) -> Option<Weights<'_>> {
    Some(match numbers {
        Numbers::F32 => Weights::F32(<[f32]>::ref_from_bytes(bytes).ok()?),
        Numbers::F16 => Weights::F16(<[u16]>::ref_from_bytes(bytes).ok()?),
        Numbers::Bf16 => Weights::Bf16(<[u16]>::ref_from_bytes(bytes).ok()?),
        Numbers::Int8 => {
            let (scales, codes) = <[f32]>::ref_from_prefix_with_elems(bytes, rows).ok()?;
            Weights::Int8 { scales, codes: <[i8]>::ref_from_bytes(codes).ok()? }
        }
        Numbers::Int4 => {
            let (scales, rest) = <[f32]>::ref_from_prefix_with_elems(bytes, rows).ok()?;
            let groups = rows.checked_mul(columns.div_ceil(GROUP))?;
            let (padded, codes) = rest.split_at_checked(groups.checked_next_multiple_of(4)?)?;
            Weights::Int4 { scales, factors: padded.get(..groups)?, codes }
        }
    })
}

/// Whether a float is finite, by its bits.
const fn is_finite(value: f32) -> bool {
    value.to_bits() & 0x7f80_0000 != 0x7f80_0000
}

/// Whether all numbers of a tensor are: finite, scales not negative, padding zero.
fn is_sound(weights: &Weights<'_>, columns: usize) -> bool {
    let is_scale = |scale: &f32| scale.to_bits() < 0x7f80_0000;
    match weights {
        Weights::F32(weights) => weights.iter().all(|weight| is_finite(*weight)),
        Weights::F16(weights) => weights.iter().all(|weight| F16::is_finite(*weight)),
        Weights::Bf16(weights) => weights.iter().all(|weight| Bf16::is_finite(*weight)),
        Weights::Int8 { scales, .. } => scales.iter().all(is_scale),
        Weights::Int4 { scales, codes, .. } => {
            // Columns past the last, in the last group of every row.
            let groups = columns.div_ceil(GROUP).max(1);
            let last = columns.checked_rem(GROUP).filter(|rest| *rest > 0).unwrap_or(GROUP);
            let unused = |group| unpack_group(group).skip(last).all(|code| code == 0);
            scales.iter().all(is_scale)
                && rows(codes, GROUP_BYTES)
                    .skip(groups.saturating_sub(1))
                    .step_by(groups)
                    .all(unused)
        }
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
fn check_tensors(mut rest: Tensors<'_>, header: &Header) -> Result<(), FormatError> {
    let count = header.tensors;
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
        let most = match entry.numbers {
            Numbers::Int8 => INT8_COLUMNS,
            Numbers::Int4 => INT4_COLUMNS,
            _ => usize::MAX,
        };
        if shape.columns > most {
            return Err(FormatError::Columns { tensor: shape.id, found: entry.columns });
        }
        if header.version == OLDEST_VERSION && entry.numbers.code() > Numbers::F16.code() {
            let value = u32::from(entry.numbers.code());
            return Err(FormatError::Unknown { field: "numbers", value });
        }
        let weights = weights(bytes, entry.numbers, shape.rows, shape.columns).ok_or(too_short)?;
        if !is_sound(&weights, shape.columns) {
            return Err(FormatError::NotFinite { tensor: shape.id });
        }
        if let Weights::Int4 { scales, factors, .. } = weights {
            let front =
                (scales.len() as u64).saturating_mul(4).saturating_add(factors.len() as u64);
            let from = entry.offset.saturating_add(front);
            zeros(rest.bytes, from, from.checked_next_multiple_of(4).unwrap_or(from))?;
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
