use super::{ENTRY_LEN, FormatError, Numbers, TensorId, TensorShape, align};

/// A directory entry: where a tensor is and how it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: TensorId,
    pub numbers: Numbers,
    pub rows: u32,
    pub columns: u32,
    pub offset: u64,
    pub len: u64,
}

impl Entry {
    /// The entry of a tensor stored as `numbers` at `offset`; `None` if its numbers do not fit.
    pub fn new(shape: &TensorShape, numbers: Numbers, offset: u64) -> Option<Self> {
        let rows = u32::try_from(shape.rows).ok()?;
        let columns = u32::try_from(shape.columns).ok()?;
        Some(Self { id: shape.id, numbers, rows, columns, offset, len: shape.size(numbers)? })
    }

    /// Where the next tensor begins.
    pub fn end(&self) -> Option<u64> {
        align(self.offset.checked_add(self.len)?)
    }

    /// Read the entry of the tensor that must come next, which begins at `offset`: of every field
    /// but the numbers only one value is right.
    pub fn parse(bytes: &[u8], shape: &TensorShape, offset: u64) -> Result<Self, FormatError> {
        let tensor = shape.id;
        let mut rest = bytes;
        let kind = u64::from(u16::from_le_bytes(take(&mut rest)));
        let code = u16::from_le_bytes(take(&mut rest));
        let layer = u64::from(u32::from_le_bytes(take(&mut rest)));
        let rows = u64::from(u32::from_le_bytes(take(&mut rest)));
        let columns = u64::from(u32::from_le_bytes(take(&mut rest)));
        let start = u64::from_le_bytes(take(&mut rest));
        let len = u64::from_le_bytes(take(&mut rest));
        let numbers = match Numbers::from_code(code) {
            Some(numbers) => numbers,
            None => {
                return Err(FormatError::Unknown { field: "numbers", value: u32::from(code) });
            }
        };
        let f32_code = u64::from(Numbers::F32.code());
        let allowed = if tensor.kind.is_matrix() { u64::from(code) } else { f32_code };
        let entry = Self::new(shape, numbers, offset).ok_or(FormatError::TooLarge)?;
        let fields = [
            ("kind", u64::from(tensor.kind.code()), kind),
            ("numbers", allowed, u64::from(code)),
            ("layer", u64::from(tensor.layer), layer),
            ("rows", u64::from(entry.rows), rows),
            ("columns", u64::from(entry.columns), columns),
            ("offset", offset, start),
            ("length", entry.len, len),
        ];
        for (field, expected, found) in fields {
            if expected != found {
                return Err(FormatError::Entry { tensor, field, expected, found });
            }
        }
        Ok(entry)
    }

    /// The entry's bytes.
    pub fn emit(&self) -> [u8; ENTRY_LEN] {
        let mut bytes = [0; ENTRY_LEN];
        let fields = self.id.kind.code().to_le_bytes();
        let fields = fields.into_iter().chain(self.numbers.code().to_le_bytes());
        let fields = fields.chain(self.id.layer.to_le_bytes());
        let fields = fields.chain(self.rows.to_le_bytes()).chain(self.columns.to_le_bytes());
        let fields = fields.chain(self.offset.to_le_bytes()).chain(self.len.to_le_bytes());
        for (byte, field) in bytes.iter_mut().zip(fields) {
            *byte = field;
        }
        bytes
    }
}

/// The next `N` bytes; zeros past the end.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    match rest.split_first_chunk::<N>() {
        Some((field, tail)) => {
            *rest = tail;
            *field
        }
        None => [0; N],
    }
}
