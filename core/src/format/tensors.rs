use zerocopy::FromBytes;

use super::directory::Entry;
use super::{ENTRY_LEN, Layer, Numbers, TensorId, TensorKind, TensorShape};
use crate::kernels::{GROUP, Matrix, Weights};
use crate::model::Config;

/// The tensors from one point of the directory on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tensors<'m> {
    pub bytes: &'m [u8],
    pub config: Config,
    pub directory: &'m [u8],
    pub offset: u64,
}

impl<'m> Tensors<'m> {
    /// The next tensor, which must have this shape.
    pub fn next(&mut self, shape: &TensorShape) -> Option<(Entry, &'m [u8])> {
        let (entry, directory) = self.directory.split_at_checked(ENTRY_LEN)?;
        let entry = Entry::parse(entry, shape, self.offset).ok()?;
        let start = usize::try_from(entry.offset).ok()?;
        let len = usize::try_from(entry.len).ok()?;
        let bytes = self.bytes.get(start..)?.get(..len)?;
        (self.directory, self.offset) = (directory, entry.end()?);
        Some((entry, bytes))
    }

    pub fn matrix(&mut self, kind: TensorKind, layer: u32) -> Option<Matrix<'m>> {
        let (rows, columns) = kind.shape(&self.config)?;
        let shape = TensorShape { id: TensorId { kind, layer }, rows, columns };
        let (entry, bytes) = self.next(&shape)?;
        Matrix::new(weights(bytes, entry.numbers, rows, columns)?, rows, columns)
    }

    /// The elements of a tensor that is always `f32`; none if the model has no such tensor.
    pub fn floats(&mut self, kind: TensorKind, layer: u32) -> Option<&'m [f32]> {
        let Some((rows, columns)) = kind.shape(&self.config) else {
            return Some(&[]);
        };
        let shape = TensorShape { id: TensorId { kind, layer }, rows, columns };
        let (_, bytes) = self.next(&shape)?;
        <[f32]>::ref_from_bytes(bytes).ok()
    }

    pub fn layer(&mut self, layer: u32) -> Option<Layer<'m>> {
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
