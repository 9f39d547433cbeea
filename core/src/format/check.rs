//! The checks that make a file a model; each runs once, when the file is opened.

use super::constants::{ALIGNMENT, OLDEST_VERSION};
use super::directory::Entry;
use super::error::FormatError;
use super::header::{Header, TokenizerKind, header_len};
use super::tensors::{Tensors, weights};
use crate::kernels::{
    Bf16, F16, GROUP, GROUP_BYTES, INT4_MAX_COLS, INT8_MAX_COLS, Weights, rows, unpack_group,
};
use crate::shape::{DType, layout};
use zerocopy::IntoBytes;

/// Returns whether a float is finite; by its bits, without a float instruction.
const fn is_finite(value: f32) -> bool {
    value.to_bits() & 0x7f80_0000 != 0x7f80_0000
}

/// Returns whether all elements are finite, scales are not negative, and unused columns are zero.
fn is_sound(weights: &Weights<'_>, columns: usize) -> bool {
    let is_scale = |scale: &f32| scale.to_bits() < 0x7f80_0000;
    match weights {
        Weights::F32(weights) => weights.iter().all(|weight| is_finite(*weight)),
        Weights::F16(weights) => weights.iter().all(|weight| F16::is_finite(*weight)),
        Weights::Bf16(weights) => weights.iter().all(|weight| Bf16::is_finite(*weight)),
        Weights::Int8 { scales, .. } => scales.iter().all(is_scale),
        Weights::Int4 { scales, quants, .. } => {
            // The last group of every row can have unused columns.
            let groups = columns.div_ceil(GROUP).max(1);
            let used = columns - (groups - 1) * GROUP;
            let is_padded = |group| unpack_group(group).skip(used).all(|quant| quant == 0);
            scales.iter().all(is_scale)
                && rows(quants, GROUP_BYTES).skip(groups - 1).step_by(groups).all(is_padded)
        }
    }
}

/// Checks the alignment of the file, its fixed part, and the lengths in it.
pub(super) fn check_front(bytes: &[u8]) -> Result<Header, FormatError> {
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
    // Writing the same header again leaves reserved and unused fields zero.
    for ((byte, canonical), offset) in bytes.iter().zip(header.raw().as_bytes()).zip(0..) {
        if byte != canonical {
            return Err(FormatError::Reserved { offset });
        }
    }
    if header.tokenizer == TokenizerKind::Bytes && header.merges != 0 {
        return FormatError::unknown("merges", header.merges);
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

/// Checks every tensor: that its entry is the expected one, that it lies in the file, that its padding
/// is zero and its elements are finite; and that the file ends with the last one.
pub(super) fn check_tensors(tensors: Tensors<'_>, header: &Header) -> Result<(), FormatError> {
    let Tensors { file, directory } = tensors;
    let unexpected = FormatError::Unknown { field: "tensors", value: header.tensors };
    let found = file.len() as u64;
    let mut entries = directory.iter();
    let mut offset = u64::from(header.header_len);
    for shape in layout(&header.config) {
        let raw = entries.next().ok_or(unexpected)?;
        let entry = Entry::check(raw, &shape, offset)?;
        let needed = entry.end().ok_or(FormatError::TooLarge)?;
        let too_short = FormatError::TooShort { needed, found };
        if needed > found {
            return Err(too_short);
        }
        let max_columns = match entry.dtype {
            DType::Int8 => INT8_MAX_COLS,
            DType::Int4 => INT4_MAX_COLS,
            _ => usize::MAX,
        };
        if shape.columns > max_columns {
            return Err(FormatError::Columns { tensor: shape.id, found: entry.columns });
        }
        if header.version == OLDEST_VERSION && entry.dtype.code() > DType::F16.code() {
            return FormatError::unknown("dtype", entry.dtype.code().into());
        }
        let bytes = raw.bytes(file).ok_or(too_short)?;
        let weights = weights(bytes, entry.dtype, shape.rows, shape.columns).ok_or(too_short)?;
        if !is_sound(&weights, shape.columns) {
            return Err(FormatError::NotFinite { tensor: shape.id });
        }
        // All sums below are at most `needed`, which lies in the file.
        if let Weights::Int4 { scales, factors, .. } = weights {
            let from = entry.offset + scales.len() as u64 * 4 + factors.len() as u64;
            check_zeros(file, from, from.next_multiple_of(4))?;
        }
        check_zeros(file, entry.offset + entry.len, needed)?;
        offset = needed;
    }
    if entries.next().is_some() {
        return Err(unexpected);
    }
    if offset != found {
        return Err(FormatError::Length { what: "model file", expected: offset, found });
    }
    Ok(())
}

/// Checks that the bytes `from..to` are zero.
pub(super) fn check_zeros(bytes: &[u8], from: u64, to: u64) -> Result<(), FormatError> {
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let padding = range.and_then(|(from, to)| bytes.get(from..to));
    debug_assert!(padding.is_some(), "padding lies in the file");
    let padding = padding.unwrap_or_default();
    match padding.iter().zip(from..).find(|(byte, _)| **byte != 0) {
        Some((_, offset)) => Err(FormatError::Reserved { offset }),
        None => Ok(()),
    }
}
