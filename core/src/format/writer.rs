use zerocopy::IntoBytes;

use super::directory::Entry;
use super::header::{Header, TokenizerKind};
use super::{
    ALIGNMENT, Execution, FormatError, Numbers, TensorId, TensorKind, TensorShape, VERSION,
    WriteError, align, header_len, layout,
};
use crate::kernels::{Bf16, F16, GROUP, GROUP_BYTES};
use crate::shape::Config;
use crate::token::Tokenizer;

/// Where a [`Writer`] takes the weights from: the model as it was trained, unfolded.
///
/// The rows are those of `model.safetensors`: `wq` and `wk` have all `width` columns, and
/// [`TensorKind::QueryFolded`] and [`TensorKind::KeyFolded`] are never asked for. Norms are one
/// row. Every row is asked for more than once and must always be the same.
pub trait WeightSource {
    /// Why a row cannot be had.
    type Error;

    /// Row `row` of `tensor`.
    ///
    /// # Errors
    /// Whatever keeps the source from having it.
    fn row(&mut self, tensor: TensorId, row: usize) -> Result<&[f32], Self::Error>;

    /// Row `row` of the matrix `tensor` as integers of the kind that the [`Storage`] asks for, without
    /// the overridden columns; only asked for if it does. How weights are rounded is the source's
    /// choice.
    ///
    /// # Errors
    /// Whatever keeps the source from having it.
    fn quantized_row(
        &mut self,
        tensor: TensorId,
        row: usize,
    ) -> Result<QuantizedRow<'_>, Self::Error>;
}

/// A row of a matrix of integers; see the [file's specification](super#numbers).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum QuantizedRow<'a> {
    /// `W[i] = scale·quants[i]`
    Int8 {
        /// Finite, not negative.
        scale: f32,
        /// One per column.
        quants: &'a [i8],
    },
    /// `W[i] = scale·factors[i/32]·quant[i]`
    Int4 {
        /// Finite, not negative.
        scale: f32,
        /// One per group of 32 columns.
        factors: &'a [u8],
        /// 16 bytes per group.
        quants: &'a [u8],
    },
}

/// How a [`Writer`] stores a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Storage {
    /// The matrices of the layers.
    pub layers: Numbers,
    /// The embedding and the head.
    pub vocabulary: Numbers,
    /// The arithmetic that the model is meant for.
    pub execution: Execution,
    /// The largest magnitude in the residual stream, rounded up to a bfloat16 in the file; 0 if
    /// unknown.
    pub residual_range: f32,
}

impl Storage {
    /// How tensors of a kind are stored: all but matrices as f32.
    pub const fn numbers_of(&self, kind: TensorKind) -> Numbers {
        if !kind.is_matrix() {
            Numbers::F32
        } else if kind.is_vocabulary() {
            self.vocabulary
        } else {
            self.layers
        }
    }
}

impl From<Numbers> for Storage {
    /// All matrices in one format, for floating point.
    fn from(numbers: Numbers) -> Self {
        let execution = Execution::Float;
        Self { layers: numbers, vocabulary: numbers, execution, residual_range: 0.0 }
    }
}

/// Writes a model as an `.expe` file: folds the position columns, rounds to the numeric format,
/// computes the checksum.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    config: Config,
    tokenizer: Tokenizer<'a>,
    storage: Storage,
    header: Header,
}

impl<'a> Writer<'a> {
    /// A writer of models of this configuration, stored as `storage` says: often a [`Numbers`].
    ///
    /// # Errors
    /// [`FormatError::Config`], [`FormatError::Unknown`] for digits or a range that the file cannot
    /// hold, [`FormatError::Vocabulary`] or [`FormatError::TooLarge`].
    pub fn new(
        config: &Config,
        tokenizer: Tokenizer<'a>,
        storage: impl Into<Storage>,
    ) -> Result<Self, FormatError> {
        let storage = storage.into();
        config.check()?;
        if config.vocab != tokenizer.vocab() {
            let (model, tokenizer) = (config.vocab, tokenizer.vocab());
            return Err(FormatError::Vocabulary { model, tokenizer });
        }
        if !storage.residual_range.is_finite() || storage.residual_range.is_sign_negative() {
            let value = storage.residual_range.to_bits();
            return Err(FormatError::Unknown { field: "residual range", value });
        }
        let (kind, merges) = match tokenizer {
            Tokenizer::Bytes => (TokenizerKind::Bytes, 0),
            Tokenizer::Bpe(bpe) => (TokenizerKind::Bpe, bpe.merges().len()),
        };
        let merges = u32::try_from(merges).map_err(|_| FormatError::TooLarge)?;
        let tensors = u32::try_from(layout(config).count()).map_err(|_| FormatError::TooLarge)?;
        let front = header_len(merges, tensors).ok_or(FormatError::TooLarge)?;
        let mut writer = Self {
            config: *config,
            tokenizer,
            storage,
            header: Header {
                version: VERSION,
                header_len: u32::try_from(front).map_err(|_| FormatError::TooLarge)?,
                file_len: 0,
                checksum: 0,
                config: *config,
                tokenizer: kind,
                merges,
                tensors,
                execution: storage.execution,
                residual_range: Bf16::above(storage.residual_range),
            },
        };
        let mut end = front;
        for shape in layout(config) {
            let entry = Entry::new(&shape, writer.storage.numbers_of(shape.id.kind), end);
            end = entry.and_then(|entry| entry.end()).ok_or(FormatError::TooLarge)?;
        }
        writer.header.file_len = end;
        // What cannot be read back is not written.
        Header::parse(&writer.header.emit())?;
        Ok(writer)
    }

    /// The length of the file in bytes, exactly.
    pub const fn file_len(&self) -> u64 {
        self.header.file_len
    }

    /// Write the file to `sink`, piece by piece. The source is read twice: first for the checksum,
    /// which stands in front.
    ///
    /// # Errors
    /// Those of the source and of the sink; [`WriteError::Width`] for a row of the wrong width;
    /// [`WriteError::OutOfRange`] for a weight that is not finite in the numeric format.
    pub fn write<S: WeightSource, E>(
        &self,
        source: &mut S,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), WriteError<S::Error, E>> {
        let crc = &super::CRC;
        let mut digest = crc.digest();
        let mut skip = super::CHECKED_FROM;
        self.emit(&self.header, source, &mut |piece| {
            let (_, checked) = piece.split_at_checked(skip).unwrap_or((piece, &[]));
            skip = skip.saturating_sub(piece.len());
            digest.update(checked);
            Ok(())
        })?;
        let header = Header { checksum: digest.finalize(), ..self.header };
        self.emit(&header, source, &mut |piece| sink(piece).map_err(WriteError::Sink))
    }

    fn emit<S: WeightSource, E>(
        &self,
        header: &Header,
        source: &mut S,
        sink: &mut impl FnMut(&[u8]) -> Result<(), WriteError<S::Error, E>>,
    ) -> Result<(), WriteError<S::Error, E>> {
        const ZEROS: [u8; ALIGNMENT] = [0; ALIGNMENT];
        let mut written = 0u64;
        let mut sink = |piece: &[u8]| {
            written = written.saturating_add(piece.len() as u64);
            sink(piece)?;
            Ok(written)
        };
        let padding = |end: u64| {
            let missing = align(end).unwrap_or(end).saturating_sub(end);
            ZEROS.get(..missing as usize).unwrap_or(&[])
        };
        let mut end = sink(&header.emit())?;
        if let Tokenizer::Bpe(bpe) = self.tokenizer {
            end = sink(bpe.merges().as_bytes())?;
        }
        let mut offset = u64::from(header.header_len);
        for shape in layout(&self.config) {
            // That every entry exists was checked when the writer was made.
            if let Some(entry) = Entry::new(&shape, self.storage.numbers_of(shape.id.kind), offset)
            {
                end = sink(&entry.emit())?;
                offset = entry.end().unwrap_or(offset);
            }
        }
        sink(padding(end))?;
        for shape in layout(&self.config) {
            let end = self.emit_tensor(&shape, source, &mut sink)?;
            sink(padding(end))?;
        }
        Ok(())
    }

    /// Write one tensor; the number of bytes written so far.
    fn emit_tensor<S: WeightSource, E>(
        &self,
        shape: &TensorShape,
        source: &mut S,
        sink: &mut impl FnMut(&[u8]) -> Result<u64, WriteError<S::Error, E>>,
    ) -> Result<u64, WriteError<S::Error, E>> {
        let id = shape.id;
        let columns = self.config.override_block();
        let run = columns.run_width();
        let mut end = 0;
        let folded = match id.kind {
            TensorKind::QueryFolded => Some(TensorKind::Wq),
            TensorKind::KeyFolded => Some(TensorKind::Wk),
            _ => None,
        };
        if let Some(kind) = folded {
            let id = TensorId { kind, ..id };
            for digit in 0..shape.rows {
                let start = digit.saturating_mul(run);
                for row in 0..shape.columns {
                    let weights = full_row(source, id, row, self.config.width)?;
                    let sum: f64 =
                        weights.iter().skip(start).take(run).map(|w| f64::from(*w)).sum();
                    end = emit_row(Numbers::F32, &[sum as f32], id, row, sink)?;
                }
            }
            return Ok(end);
        }
        if self.storage.numbers_of(id.kind).is_integer() {
            return emit_quants(shape, self.storage.numbers_of(id.kind), source, sink);
        }
        let skipped = id.kind.folded(&self.config);
        let width = shape.columns.saturating_add(skipped);
        for row in 0..shape.rows {
            let weights = full_row(source, id, row, width)?.get(skipped..).unwrap_or(&[]);
            end = emit_row(self.storage.numbers_of(id.kind), weights, id, row, sink)?;
        }
        Ok(end)
    }
}

/// Row `row` of `id`, which must be `expected` wide.
fn full_row<S: WeightSource, E>(
    source: &mut S,
    id: TensorId,
    row: usize,
    expected: usize,
) -> Result<&[f32], WriteError<S::Error, E>> {
    let weights = source.row(id, row).map_err(WriteError::Source)?;
    let found = weights.len();
    if found == expected {
        Ok(weights)
    } else {
        Err(WriteError::Width { tensor: id, row, expected, found })
    }
}

/// Write weights in their numeric format; the number of bytes written so far.
fn emit_row<R, W>(
    numbers: Numbers,
    weights: &[f32],
    tensor: TensorId,
    row: usize,
    sink: &mut impl FnMut(&[u8]) -> Result<u64, WriteError<R, W>>,
) -> Result<u64, WriteError<R, W>> {
    let refuse = |value: f32| WriteError::OutOfRange { tensor, row, value, numbers };
    let narrow: fn(f32) -> Option<u16> = match numbers {
        Numbers::F16 => F16::narrow,
        Numbers::Bf16 => Bf16::narrow,
        _ => {
            return match weights.iter().find(|w| !w.is_finite()) {
                Some(value) => Err(refuse(*value)),
                None => sink(weights.as_bytes()),
            };
        }
    };
    let mut end = sink(&[])?;
    for part in weights.chunks(64) {
        let mut halves = [0u16; 64];
        for (half, weight) in halves.iter_mut().zip(part) {
            *half = narrow(*weight).ok_or_else(|| refuse(*weight))?;
        }
        end = sink(halves.get(..part.len()).unwrap_or(&[]).as_bytes())?;
    }
    Ok(end)
}

/// Write a matrix of integers: scales, factors, integers; the number of bytes written so far.
fn emit_quants<S: WeightSource, E>(
    shape: &TensorShape,
    numbers: Numbers,
    source: &mut S,
    sink: &mut impl FnMut(&[u8]) -> Result<u64, WriteError<S::Error, E>>,
) -> Result<u64, WriteError<S::Error, E>> {
    let tensor = shape.id;
    let groups = shape.columns.div_ceil(GROUP);
    for row in 0..shape.rows {
        let quantized = source.quantized_row(tensor, row).map_err(WriteError::Source)?;
        let (found, expected, scale) = match quantized {
            QuantizedRow::Int8 { scale, quants } if numbers == Numbers::Int8 => {
                (quants.len(), shape.columns, scale)
            }
            QuantizedRow::Int4 { scale, factors, quants } if numbers == Numbers::Int4 => {
                // Both lengths in one number: sixteen bytes and a factor for each group.
                let found = quants.len().saturating_add(factors.len());
                (found, groups.saturating_mul(GROUP_BYTES + 1), scale)
            }
            _ => (0, shape.columns, 0.0),
        };
        if found != expected {
            return Err(WriteError::Width { tensor, row, expected, found });
        }
        if !(scale.is_finite() && scale >= 0.0) {
            return Err(WriteError::OutOfRange { tensor, row, value: scale, numbers });
        }
        sink(scale.as_bytes())?;
    }
    if numbers == Numbers::Int4 {
        for row in 0..shape.rows {
            if let QuantizedRow::Int4 { factors, .. } =
                source.quantized_row(tensor, row).map_err(WriteError::Source)?
            {
                sink(factors)?;
            }
        }
        let factors = shape.rows.saturating_mul(groups);
        let padding = factors.next_multiple_of(4).saturating_sub(factors);
        sink([0; 4].get(..padding).unwrap_or(&[]))?;
    }
    let mut end = sink(&[])?;
    for row in 0..shape.rows {
        end = match source.quantized_row(tensor, row).map_err(WriteError::Source)? {
            QuantizedRow::Int8 { quants, .. } => sink(quants.as_bytes())?,
            QuantizedRow::Int4 { quants, .. } => sink(quants)?,
        };
    }
    Ok(end)
}
