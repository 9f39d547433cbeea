use core::fmt;

use crate::kernels::{GROUP, GROUP_BYTES};

/// How a tensor is stored; all except the first are for matrices only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DType {
    /// IEEE 754 single precision, code 0.
    F32 = 0,
    /// IEEE 754 half precision, code 1.
    F16 = 1,
    /// bfloat16, code 2.
    Bf16 = 2,
    /// 8-bit integers with a scale per row, code 3.
    Int8 = 3,
    /// 4-bit integers with a factor per group of 32 columns and a scale per row, code 4.
    Int4 = 4,
}

impl DType {
    /// All dtypes, in the order of their codes.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::Bf16, Self::Int8, Self::Int4];

    /// Returns the bytes of a tensor of `rows` rows and `columns` columns; `None` past 64 bits.
    pub const fn bytes(self, rows: u64, columns: u64) -> Option<u64> {
        let per_row = match self {
            Self::F32 => columns.checked_mul(4),
            Self::F16 | Self::Bf16 => columns.checked_mul(2),
            Self::Int8 => columns.checked_add(4),
            Self::Int4 => return int4_bytes(rows, columns),
        };
        match per_row {
            Some(bytes) => bytes.checked_mul(rows),
            None => None,
        }
    }

    /// Returns the dtype's code in the file.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Returns the dtype of a code; `None` for an unknown one.
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            0 => Some(Self::F32),
            1 => Some(Self::F16),
            2 => Some(Self::Bf16),
            3 => Some(Self::Int8),
            4 => Some(Self::Int4),
            _ => None,
        }
    }

    /// Returns whether elements are integers.
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::Int8 | Self::Int4)
    }
}

/// Returns the bytes of scales, factors padded to a multiple of four, and quants.
const fn int4_bytes(rows: u64, columns: u64) -> Option<u64> {
    let Some(groups) = rows.checked_mul(columns.div_ceil(GROUP as u64)) else {
        return None;
    };
    let (Some(factors), Some(codes), Some(scales)) = (
        groups.checked_next_multiple_of(4),
        groups.checked_mul(GROUP_BYTES as u64),
        rows.checked_mul(4),
    ) else {
        return None;
    };
    match scales.checked_add(factors) {
        Some(front) => front.checked_add(codes),
        None => None,
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int4 => "int4",
        })
    }
}
