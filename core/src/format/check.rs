//! What is looked at once, before a file is a model.

use super::directory::Entry;
use super::header::{Header, TokenizerKind};
use super::tensors::{Tensors, weights};
use super::{ALIGNMENT, ENTRY_LEN, FormatError, Numbers, OLDEST_VERSION, header_len, layout};
use crate::kernels::{
    Bf16, F16, GROUP, GROUP_BYTES, INT4_MAX_COLS, INT8_MAX_COLS, Weights, rows, unpack_group,
};

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
        Weights::Int4 { scales, quants, .. } => {
            // Columns past the last, in the last group of every row.
            let groups = columns.div_ceil(GROUP).max(1);
            let last = columns.checked_rem(GROUP).filter(|rest| *rest > 0).unwrap_or(GROUP);
            let unused = |group| unpack_group(group).skip(last).all(|quant| quant == 0);
            scales.iter().all(is_scale)
                && rows(quants, GROUP_BYTES)
                    .skip(groups.saturating_sub(1))
                    .step_by(groups)
                    .all(unused)
        }
    }
}

/// Check alignment, the fixed part and the lengths in it.
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
pub(super) fn check_tensors(mut rest: Tensors<'_>, header: &Header) -> Result<(), FormatError> {
    let count = header.tensors;
    let file_len = rest.bytes.len() as u64;
    let mut seen = 0u32;
    for shape in layout(&header.config) {
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
            Numbers::Int8 => INT8_MAX_COLS,
            Numbers::Int4 => INT4_MAX_COLS,
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
pub(super) fn zeros(bytes: &[u8], from: u64, to: u64) -> Result<(), FormatError> {
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let padding = range.and_then(|(from, to)| bytes.get(from..to)).unwrap_or(&[]);
    match padding.iter().zip(from..).find(|(byte, _)| **byte != 0) {
        Some((_, offset)) => Err(FormatError::Reserved { offset }),
        None => Ok(()),
    }
}
