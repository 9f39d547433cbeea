use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::constants::align;
use super::error::FormatError;
use crate::shape::{DType, TensorId, TensorShape};

/// A directory entry, byte for byte: where a tensor is and how it is stored.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawEntry {
    kind: U16,
    dtype: U16,
    layer: U32,
    rows: U32,
    columns: U32,
    offset: U64,
    len: U64,
}

impl RawEntry {
    pub const LEN: usize = size_of::<Self>();

    /// Returns how the tensor is stored; `None` for an unknown code.
    pub const fn dtype(&self) -> Option<DType> {
        DType::from_code(self.dtype.get())
    }

    /// Returns the tensor's bytes in the file, without padding; `None` if they are not in it.
    pub fn bytes<'m>(&self, file: &'m [u8]) -> Option<&'m [u8]> {
        let start = usize::try_from(self.offset.get()).ok()?;
        let len = usize::try_from(self.len.get()).ok()?;
        file.get(start..)?.get(..len)
    }

    /// Returns whether this is the entry of a tensor.
    pub fn is_for(&self, id: TensorId) -> bool {
        self.kind.get() == id.kind.code() && self.layer.get() == id.layer
    }
}

/// What a directory entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: TensorId,
    pub dtype: DType,
    pub rows: u32,
    pub columns: u32,
    pub offset: u64,
    pub len: u64,
}

impl Entry {
    /// Returns the entry of a tensor stored as `dtype` at `offset`; `None` if its numbers do not fit.
    pub fn new(shape: &TensorShape, dtype: DType, offset: u64) -> Option<Self> {
        let rows = u32::try_from(shape.rows).ok()?;
        let columns = u32::try_from(shape.columns).ok()?;
        Some(Self { id: shape.id, dtype, rows, columns, offset, len: shape.size(dtype)? })
    }

    /// Returns where the next tensor begins; `None` past 64 bits.
    pub fn end(&self) -> Option<u64> {
        align(self.offset.checked_add(self.len)?)
    }

    /// Checks the entry of the tensor that must come next, at `offset`. Only the dtype can have more than
    /// one value.
    pub fn check(raw: &RawEntry, shape: &TensorShape, offset: u64) -> Result<Self, FormatError> {
        let tensor = shape.id;
        let code = raw.dtype.get();
        let Some(dtype) = DType::from_code(code) else {
            return FormatError::unknown("dtype", u32::from(code));
        };
        let f32_code = u64::from(DType::F32.code());
        let allowed = if tensor.kind.is_matrix() { u64::from(code) } else { f32_code };
        let entry = Self::new(shape, dtype, offset).ok_or(FormatError::TooLarge)?;
        let fields = [
            ("kind", tensor.kind.code().into(), raw.kind.get().into()),
            ("dtype", allowed, code.into()),
            ("layer", tensor.layer.into(), raw.layer.get().into()),
            ("rows", entry.rows.into(), raw.rows.get().into()),
            ("columns", entry.columns.into(), raw.columns.get().into()),
            ("offset", offset, raw.offset.get()),
            ("length", entry.len, raw.len.get()),
        ];
        for (field, expected, found) in fields {
            if expected != found {
                return Err(FormatError::Entry { tensor, field, expected, found });
            }
        }
        Ok(entry)
    }

    /// Returns the entry's bytes.
    pub fn raw(self) -> RawEntry {
        RawEntry {
            kind: U16::new(self.id.kind.code()),
            dtype: U16::new(self.dtype.code()),
            layer: U32::new(self.id.layer),
            rows: U32::new(self.rows),
            columns: U32::new(self.columns),
            offset: U64::new(self.offset),
            len: U64::new(self.len),
        }
    }
}
