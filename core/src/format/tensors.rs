use zerocopy::FromBytes;

use super::directory::RawEntry;
use crate::kernels::{GROUP, Matrix, Weights};
use crate::shape::{Config, DType, TensorId, TensorKind, TensorShape};

/// One tensor as it is stored in the file.
#[derive(Debug, Clone, Copy)]
pub struct StoredTensor<'m> {
    /// Which tensor, and its shape.
    pub shape: TensorShape,
    /// How its elements are stored.
    pub dtype: DType,
    /// Its bytes, without padding.
    pub bytes: &'m [u8],
}

impl<'m> StoredTensor<'m> {
    /// Returns the tensor as a matrix; `None` if its bytes do not fit its shape.
    pub(crate) fn matrix(&self) -> Option<Matrix<'m>> {
        let TensorShape { rows, columns, .. } = self.shape;
        Matrix::new(weights(self.bytes, self.dtype, rows, columns)?, rows, columns)
    }
}

/// The tensors of a checked file, from one place in its directory on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tensors<'m> {
    pub(super) file: &'m [u8],
    pub(super) directory: &'m [RawEntry],
}

impl<'m> Tensors<'m> {
    /// Returns the next tensor, which must have this shape, and moves past it; `None` at the end.
    pub(crate) fn tensor(&mut self, shape: TensorShape) -> Option<StoredTensor<'m>> {
        let (entry, directory) = self.directory.split_first()?;
        debug_assert!(entry.is_for(shape.id), "tensors are read in the file's order");
        self.directory = directory;
        Some(StoredTensor { shape, dtype: entry.dtype()?, bytes: entry.bytes(self.file)? })
    }

    /// Returns the next tensor, a matrix.
    pub(crate) fn matrix(
        &mut self,
        config: &Config,
        kind: TensorKind,
        layer: u32,
    ) -> Option<Matrix<'m>> {
        let (rows, columns) = kind.shape(config)?;
        self.tensor(TensorShape { id: TensorId { kind, layer }, rows, columns })?.matrix()
    }

    /// Returns the elements of the next tensor, which is always `f32`; no elements if the model has no
    /// such tensor.
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

/// Returns the elements of a matrix stored as `dtype`; `None` if `bytes` has another length.
pub(super) fn weights(
    bytes: &[u8],
    dtype: DType,
    rows: usize,
    columns: usize,
) -> Option<Weights<'_>> {
    Some(match dtype {
        DType::F32 => Weights::F32(<[f32]>::ref_from_bytes(bytes).ok()?),
        DType::F16 => Weights::F16(<[u16]>::ref_from_bytes(bytes).ok()?),
        DType::Bf16 => Weights::Bf16(<[u16]>::ref_from_bytes(bytes).ok()?),
        DType::Int8 => {
            let (scales, quants) = <[f32]>::ref_from_prefix_with_elems(bytes, rows).ok()?;
            Weights::Int8 { scales, quants: <[i8]>::ref_from_bytes(quants).ok()? }
        }
        DType::Int4 => {
            let (scales, rest) = <[f32]>::ref_from_prefix_with_elems(bytes, rows).ok()?;
            let groups = rows.checked_mul(columns.div_ceil(GROUP))?;
            let (padded, quants) = rest.split_at_checked(groups.checked_next_multiple_of(4)?)?;
            Weights::Int4 { scales, factors: padded.get(..groups)?, quants }
        }
    })
}
