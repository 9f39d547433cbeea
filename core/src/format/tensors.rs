use zerocopy::FromBytes;

use super::directory::Entry;
use super::{ENTRY_LEN, Numbers, TensorShape};
use crate::kernels::{GROUP, Matrix, Weights};
use crate::shape::{Config, TensorId, TensorKind};

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

impl<'m> StoredTensor<'m> {
    /// The tensor as a matrix; `None` if its bytes do not fit its shape.
    pub(crate) fn matrix(&self) -> Option<Matrix<'m>> {
        let TensorShape { rows, columns, .. } = self.shape;
        Matrix::new(weights(self.bytes, self.numbers, rows, columns)?, rows, columns)
    }
}

/// A place in a file's directory: the tensors from there on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tensors<'m> {
    pub(super) bytes: &'m [u8],
    pub(super) directory: &'m [u8],
    pub(super) offset: u64,
}

impl<'m> Tensors<'m> {
    /// Read the entry of the next tensor, which must have this shape, and move past it.
    pub(super) fn next(&mut self, shape: &TensorShape) -> Option<(Entry, &'m [u8])> {
        let (entry, directory) = self.directory.split_at_checked(ENTRY_LEN)?;
        let entry = Entry::parse(entry, shape, self.offset).ok()?;
        let start = usize::try_from(entry.offset).ok()?;
        let len = usize::try_from(entry.len).ok()?;
        let bytes = self.bytes.get(start..)?.get(..len)?;
        (self.directory, self.offset) = (directory, entry.end()?);
        Some((entry, bytes))
    }

    /// Move past the next tensor and return it; `None` if it has another shape.
    pub(crate) fn tensor(&mut self, shape: TensorShape) -> Option<StoredTensor<'m>> {
        let (entry, bytes) = self.next(&shape)?;
        Some(StoredTensor { shape, numbers: entry.numbers, bytes })
    }

    /// The next tensor, a matrix.
    pub(crate) fn matrix(
        &mut self,
        config: &Config,
        kind: TensorKind,
        layer: u32,
    ) -> Option<Matrix<'m>> {
        let (rows, columns) = kind.shape(config)?;
        self.tensor(TensorShape { id: TensorId { kind, layer }, rows, columns })?.matrix()
    }

    /// The elements of the next tensor, which is always `f32`; none if the model has no such tensor.
    pub(crate) fn floats(
        &mut self,
        config: &Config,
        kind: TensorKind,
        layer: u32,
    ) -> Option<&'m [f32]> {
        let Some((rows, columns)) = kind.shape(config) else {
            return Some(&[]);
        };
        let tensor = self.tensor(TensorShape { id: TensorId { kind, layer }, rows, columns })?;
        <[f32]>::ref_from_bytes(tensor.bytes).ok()
    }
}

/// The parts of a matrix stored as `numbers`.
pub(super) fn weights(
    bytes: &[u8],
    numbers: Numbers,
    rows: usize,
    columns: usize,
) -> Option<Weights<'_>> {
    Some(match numbers {
        Numbers::F32 => Weights::F32(<[f32]>::ref_from_bytes(bytes).ok()?),
        Numbers::F16 => Weights::F16(<[u16]>::ref_from_bytes(bytes).ok()?),
        Numbers::Bf16 => Weights::Bf16(<[u16]>::ref_from_bytes(bytes).ok()?),
        Numbers::Int8 => {
            let (scales, quants) = <[f32]>::ref_from_prefix_with_elems(bytes, rows).ok()?;
            Weights::Int8 { scales, quants: <[i8]>::ref_from_bytes(quants).ok()? }
        }
        Numbers::Int4 => {
            let (scales, rest) = <[f32]>::ref_from_prefix_with_elems(bytes, rows).ok()?;
            let groups = rows.checked_mul(columns.div_ceil(GROUP))?;
            let (padded, quants) = rest.split_at_checked(groups.checked_next_multiple_of(4)?)?;
            Weights::Int4 { scales, factors: padded.get(..groups)?, quants }
        }
    })
}
