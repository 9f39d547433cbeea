use zerocopy::IntoBytes;

use super::constants::{ALIGNMENT, CHECKED_FROM, CRC, VERSION, align};
use super::directory::Entry;
use super::error::{FormatError, WriteError};
use super::execution::Execution;
use super::header::{Header, TokenizerKind, header_len};
use crate::kernels::{Bf16, F16, GROUP, GROUP_BYTES};
use crate::num::invariant::slice;
use crate::shape::{Config, DType, TensorId, TensorKind, TensorShape, layout};
use crate::token::Tokenizer;

/// The source of a [`Writer`]'s weights: the trained model, unfolded.
///
/// Rows are those of `model.safetensors`: `wq` and `wk` have all `width` columns, and
/// [`TensorKind::QueryFolded`] and [`TensorKind::KeyFolded`] are never requested. A norm is one row.
/// The writer requests every row more than once; it must be the same each time.
pub trait WeightSource {
    /// Why a row cannot be read.
    type Error;

    /// Returns row `row` of `tensor`.
    ///
    /// # Errors
    /// The source's own.
    fn row(&mut self, tensor: TensorId, row: usize) -> Result<&[f32], Self::Error>;

    /// Returns row `row` of the matrix `tensor`, quantized as the [`Storage`] says and without the
    /// overridden columns. Called only for integer dtypes. The source decides how to round.
    ///
    /// # Errors
    /// The source's own.
    fn quantized_row(
        &mut self,
        tensor: TensorId,
        row: usize,
    ) -> Result<QuantizedRow<'_>, Self::Error>;
}

/// A row of an integer matrix; see the [file's specification](super#dtypes).
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
    pub layers: DType,
    /// The embedding and the head.
    pub vocabulary: DType,
    /// The arithmetic that the model is meant for.
    pub execution: Execution,
    /// The largest magnitude in the residual stream, which the file rounds up to a bfloat16; 0 if
    /// unknown.
    pub residual_range: f32,
}

impl Storage {
    /// Returns how tensors of a kind are stored: all except matrices as `f32`.
    pub const fn dtype_of(&self, kind: TensorKind) -> DType {
        if !kind.is_matrix() {
            DType::F32
        } else if kind.is_vocabulary() {
            self.vocabulary
        } else {
            self.layers
        }
    }
}

impl From<DType> for Storage {
    /// Stores all matrices alike, for floating point.
    fn from(dtype: DType) -> Self {
        let execution = Execution::Float;
        Self { layers: dtype, vocabulary: dtype, execution, residual_range: 0.0 }
    }
}

/// Writes a model as an `.expe` file: folds the overridden columns, converts to the dtype, computes the
/// checksum.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    tokenizer: Tokenizer<'a>,
    storage: Storage,
    header: Header,
}

impl<'a> Writer<'a> {
    /// Makes a writer of models of this configuration. `storage` is a [`Storage`] or a [`DType`].
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
            let entry = Entry::new(&shape, writer.storage.dtype_of(shape.id.kind), end);
            end = entry.and_then(|entry| entry.end()).ok_or(FormatError::TooLarge)?;
        }
        writer.header.file_len = end;
        // Never write what cannot be read back.
        Header::parse(writer.header.raw().as_bytes())?;
        Ok(writer)
    }

    /// Returns the exact length of the file in bytes.
    pub const fn file_len(&self) -> u64 {
        self.header.file_len
    }

    /// Writes the file to `sink`, piece by piece. Reads the source twice, first for the checksum, which
    /// precedes the weights.
    ///
    /// # Errors
    /// Those of source and sink; [`WriteError::Width`] for a row of the wrong width;
    /// [`WriteError::OutOfRange`] for a weight that is not finite in its dtype.
    pub fn write<S: WeightSource, E>(
        &self,
        source: &mut S,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), WriteError<S::Error, E>> {
        let crc = &CRC;
        let mut digest = crc.digest();
        let mut skip = CHECKED_FROM;
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
            written += piece.len() as u64;
            sink(piece)?;
            Ok(written)
        };
        let padding = |end: u64| {
            let missing = align(end).unwrap_or(end) - end;
            slice(&ZEROS, ..missing as usize)
        };
        let mut end = sink(header.raw().as_bytes())?;
        if let Tokenizer::Bpe(bpe) = self.tokenizer {
            end = sink(bpe.merges().as_bytes())?;
        }
        let mut offset = u64::from(header.header_len);
        for shape in layout(&self.header.config) {
            let entry = Entry::new(&shape, self.storage.dtype_of(shape.id.kind), offset);
            debug_assert!(entry.is_some(), "the constructor has made every entry once");
            if let Some(entry) = entry {
                end = sink(entry.raw().as_bytes())?;
                offset = entry.end().unwrap_or(offset);
            }
        }
        sink(padding(end))?;
        for shape in layout(&self.header.config) {
            let end = self.emit_tensor(&shape, source, &mut sink)?;
            sink(padding(end))?;
        }
        Ok(())
    }

    /// Writes one tensor and returns the number of bytes written so far.
    fn emit_tensor<S: WeightSource, E>(
        &self,
        shape: &TensorShape,
        source: &mut S,
        sink: &mut impl FnMut(&[u8]) -> Result<u64, WriteError<S::Error, E>>,
    ) -> Result<u64, WriteError<S::Error, E>> {
        let id = shape.id;
        let columns = self.header.config.override_block();
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
                let start = digit * run;
                for row in 0..shape.columns {
                    let weights = full_row(source, id, row, self.header.config.width)?;
                    let sum: f64 =
                        weights.iter().skip(start).take(run).map(|w| f64::from(*w)).sum();
                    end = emit_row(DType::F32, &[sum as f32], id, row, sink)?;
                }
            }
            return Ok(end);
        }
        if self.storage.dtype_of(id.kind).is_integer() {
            return emit_quants(shape, self.storage.dtype_of(id.kind), source, sink);
        }
        let skipped = id.kind.folded(&self.header.config);
        let width = shape.columns + skipped;
        for row in 0..shape.rows {
            let weights = slice(full_row(source, id, row, width)?, skipped..);
            end = emit_row(self.storage.dtype_of(id.kind), weights, id, row, sink)?;
        }
        Ok(end)
    }
}

/// Returns row `row` of `id`; an error if its width is not `expected`.
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

/// Writes weights as `dtype` and returns the number of bytes written so far.
fn emit_row<R, W>(
    dtype: DType,
    weights: &[f32],
    tensor: TensorId,
    row: usize,
    sink: &mut impl FnMut(&[u8]) -> Result<u64, WriteError<R, W>>,
) -> Result<u64, WriteError<R, W>> {
    let refuse = |value: f32| WriteError::OutOfRange { tensor, row, value, dtype };
    let narrow: fn(f32) -> Option<u16> = match dtype {
        DType::F16 => F16::narrow,
        DType::Bf16 => Bf16::narrow,
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
        end = sink(slice(&halves, ..part.len()).as_bytes())?;
    }
    Ok(end)
}

/// Writes a quantized matrix (scales, factors, quants) and returns the number of bytes written so far.
fn emit_quants<S: WeightSource, E>(
    shape: &TensorShape,
    dtype: DType,
    source: &mut S,
    sink: &mut impl FnMut(&[u8]) -> Result<u64, WriteError<S::Error, E>>,
) -> Result<u64, WriteError<S::Error, E>> {
    let tensor = shape.id;
    let groups = shape.columns.div_ceil(GROUP);
    for row in 0..shape.rows {
        let quantized = source.quantized_row(tensor, row).map_err(WriteError::Source)?;
        let (found, expected, scale) = match quantized {
            QuantizedRow::Int8 { scale, quants } if dtype == DType::Int8 => {
                (quants.len(), shape.columns, scale)
            }
            QuantizedRow::Int4 { scale, factors, quants } if dtype == DType::Int4 => {
                // Both lengths in one number: sixteen bytes and a factor for each group.
                (quants.len() + factors.len(), groups * (GROUP_BYTES + 1), scale)
            }
            _ => (0, shape.columns, 0.0),
        };
        if found != expected {
            return Err(WriteError::Width { tensor, row, expected, found });
        }
        if !(scale.is_finite() && scale >= 0.0) {
            return Err(WriteError::OutOfRange { tensor, row, value: scale, dtype });
        }
        sink(scale.as_bytes())?;
    }
    if dtype == DType::Int4 {
        for row in 0..shape.rows {
            if let QuantizedRow::Int4 { factors, .. } =
                source.quantized_row(tensor, row).map_err(WriteError::Source)?
            {
                sink(factors)?;
            }
        }
        let factors = shape.rows * groups;
        sink(slice(&[0; 4], ..factors.next_multiple_of(4) - factors))?;
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
