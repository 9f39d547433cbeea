use super::{PositionEncoding, PositionError, rotate};
use crate::num::Element;
use crate::tensor::Rows;

/// Calls `apply` with each row of `rows` and its position `first, first + 1, …`.
///
/// ```
/// use expe_core::position::{Expe, PositionEncoding, for_each_row};
/// use expe_core::tensor::Flat;
/// let expe = Expe::<f32>::new(0.0, 0.5, 2)?;
/// let mut keys = [0.0; 3];
/// for_each_row(4, &mut Flat::new(&mut keys, 1), |n, row| expe.key_values(n, row))?;
/// assert_eq!(keys, [2.0, 2.5, 3.0]);
/// # Ok::<(), expe_core::position::PositionError>(())
/// ```
///
/// # Errors
/// The first error that `apply` returns, [`PositionError::Width`] for a row that is not contiguous, or
/// [`PositionError::BeyondLength`] for a position above `u32::MAX`. Rows before the failing one are changed.
pub fn for_each_row<T>(
    first: u32,
    rows: &mut (impl Rows<T> + ?Sized),
    mut apply: impl FnMut(u32, &mut [T]) -> Result<(), PositionError>,
) -> Result<(), PositionError> {
    let count = rows.count();
    for index in 0..count {
        let row =
            rows.row_mut(index).ok_or(PositionError::Width { expected: count, found: index })?;
        let n = u32::try_from(index).ok().and_then(|index| first.checked_add(index));
        let length = u32::MAX;
        apply(n.ok_or(PositionError::BeyondLength { position: length, length })?, row)?;
    }
    Ok(())
}

/// Adds the offsets of positions `first, first + 1, …` to rows of token embeddings, one row per position.
///
/// ```
/// use expe_core::position::{Sinusoidal, embed_rows};
/// let mut rows = [[0.0f32; 4]; 3];
/// embed_rows(&Sinusoidal::new(10_000.0, 4)?, 0, &mut rows)?;
/// assert_eq!(rows[0], [0.0, 1.0, 0.0, 1.0]);
/// # Ok::<(), expe_core::position::PositionError>(())
/// ```
///
/// # Errors
/// The same as for [`PositionEncoding::embed`]; rows before the failing one are changed.
pub fn embed_rows<T: Element>(
    encoding: &(impl PositionEncoding<T> + ?Sized),
    first: u32,
    rows: &mut (impl Rows<T> + ?Sized),
) -> Result<(), PositionError> {
    for_each_row(first, rows, |n, row| encoding.embed(n, row))
}

/// Overrides the leading columns of rows of query inputs at positions `first, first + 1, …`.
///
/// # Errors
/// The same as for [`PositionEncoding::override_query`].
pub fn override_query_rows<T: Element>(
    encoding: &(impl PositionEncoding<T> + ?Sized),
    first: u32,
    rows: &mut (impl Rows<T> + ?Sized),
) -> Result<(), PositionError> {
    for_each_row(first, rows, |n, row| encoding.override_query(n, row))
}

/// Overrides the leading columns of rows of key inputs at positions `first, first + 1, …`.
///
/// ```
/// use expe_core::position::{Expe, override_key_rows};
/// use expe_core::tensor::Flat;
/// let mut keys = [1.0f32; 6];
/// override_key_rows(&Expe::new(0.0, 0.5, 2)?, 4, &mut Flat::new(&mut keys, 3))?;
/// assert_eq!(keys, [2.0, 2.0, 1.0, 2.5, 2.5, 1.0]);
/// # Ok::<(), expe_core::position::PositionError>(())
/// ```
///
/// # Errors
/// The same as for [`PositionEncoding::override_key`].
pub fn override_key_rows<T: Element>(
    encoding: &(impl PositionEncoding<T> + ?Sized),
    first: u32,
    rows: &mut (impl Rows<T> + ?Sized),
) -> Result<(), PositionError> {
    for_each_row(first, rows, |n, row| encoding.override_key(n, row))
}

/// Rotates rows of heads at positions `first, first + 1, …`.
///
/// `table` is scratch of the width of one head. The width of a row must be a multiple of it.
///
/// # Errors
/// The same as for [`PositionEncoding::rotation`].
pub fn rotate_rows<T: Element>(
    encoding: &(impl PositionEncoding<T> + ?Sized),
    first: u32,
    rows: &mut (impl Rows<T> + ?Sized),
    table: &mut [f32],
) -> Result<(), PositionError> {
    if !encoding.rotates() {
        return Ok(());
    }
    for_each_row(first, rows, |n, row| {
        encoding.rotation(n, table)?;
        row.chunks_exact_mut(table.len().max(1)).for_each(|head| rotate(table, head));
        Ok(())
    })
}

/// Adds the score bias of `head` to rows of scaled scores.
///
/// Row `i` has the scores of the query at position `first + i`, column `m` those of the key at position `m`.
///
/// # Errors
/// [`PositionError::Width`] for a row that is not contiguous.
pub fn bias_rows<T: Element>(
    encoding: &(impl PositionEncoding<T> + ?Sized),
    head: usize,
    first: u32,
    rows: &mut (impl Rows<T> + ?Sized),
) -> Result<(), PositionError> {
    for_each_row(first, rows, |n, row| {
        for (m, score) in (0u32..).zip(row) {
            *score = T::from_f32(score.to_f32() + encoding.bias(head, n, m));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Alibi, Expe, Rope, Scaling};
    use super::*;
    use crate::tensor::Flat;

    #[test]
    fn containers_agree() {
        let expe = Expe::<f32>::new(1.0, 0.25, 2).unwrap();
        let mut arrays = [[9.0f32; 3]; 4];
        override_query_rows(&expe, 7, &mut arrays).unwrap();
        let mut flat = [9.0f32; 12];
        override_query_rows(&expe, 7, &mut Flat::new(&mut flat, 3)).unwrap();
        assert_eq!(arrays.as_flattened(), flat);
        let slice: &mut [[f32; 3]] = &mut [[9.0; 3]; 4];
        override_query_rows(&expe, 7, slice).unwrap();
        assert_eq!(slice.as_flattened(), flat);
        #[cfg(feature = "heapless")]
        {
            let mut vec: heapless::Vec<[f32; 3], 8> = core::iter::repeat_n([9.0; 3], 4).collect();
            override_query_rows(&expe, 7, &mut vec).unwrap();
            assert_eq!(vec.as_flattened(), flat);
        }
        #[cfg(feature = "ndarray")]
        {
            let mut wide = ndarray::Array2::from_elem((4, 5), 9.0f32);
            override_query_rows(&expe, 7, &mut wide.slice_mut(ndarray::s![.., 1..4])).unwrap();
            assert_eq!(
                wide.slice(ndarray::s![.., 1..4]).iter().copied().collect::<std::vec::Vec<_>>(),
                flat
            );
            assert!(wide.column(0).iter().chain(wide.column(4)).all(|x| *x == 9.0));
            // Rows of a transposed view are not contiguous, which is an error.
            let mut transposed = wide.reversed_axes();
            assert!(override_query_rows(&expe, 7, &mut transposed).is_err());
        }
    }

    #[test]
    fn rows_are_rotated_and_biased_at_their_positions() {
        let rope = Rope::new(10_000.0, 2, Scaling::None).unwrap();
        let mut heads = [[1.0f32, 0.0, 0.0, 1.0]; 2];
        rotate_rows(&rope, 1, &mut heads, &mut [0.0; 2]).unwrap();
        let (sin, cos) = (2f32.sin(), 2f32.cos());
        let expected = [cos, sin, -sin, cos];
        assert!(heads[1].iter().zip(expected).all(|(a, b)| (a - b).abs() < 3e-7));
        let alibi = Alibi::new(8).unwrap();
        let mut scores = [[0.0f32; 3]; 2];
        bias_rows(&alibi, 0, 1, &mut scores).unwrap();
        assert_eq!(scores, [[-0.5, 0.0, -0.5], [-1.0, -0.5, 0.0]]);
    }
}
