use super::{PositionEncoding, PositionError};
use crate::num::{Element, Frequencies};

/// Sinusoidal positions, added to the token embedding (Vaswani et al. 2017, arXiv 1706.03762):
/// `x ← √d·x + PE(n)`, where column `2i` of `PE(n)` is `sin(n/base^(2i/d))` and column `2i + 1` the
/// cosine.
///
/// The factor `√d` is the paper's (its section 3.4). Without it embeddings that start small, as those
/// of a tied head do, drown in waves of height 1, and the model hardly learns.
///
/// The angle is kept as an integer fraction of a turn, so it is exact at any position.
///
/// ```
/// use expe_core::position::{PositionEncoding, Sinusoidal};
/// let sinusoidal = Sinusoidal::new(10_000.0, 4)?;
/// let mut row = [0.0f32; 4];
/// sinusoidal.embed(1, &mut row)?;
/// assert!((row[0] - 1f32.sin()).abs() < 2e-7 && (row[3] - 0.01f32.cos()).abs() < 2e-7);
/// # Ok::<(), expe_core::position::PositionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sinusoidal {
    base: f32,
    width: usize,
}

impl Sinusoidal {
    /// The encoding of rows of `width` columns; the longest wavelength is close to `2π·base`.
    ///
    /// # Errors
    /// [`PositionError::Parameter`] for a base that is not finite and above 1,
    /// [`PositionError::Width`] for an odd width or none.
    pub fn new(base: f32, width: usize) -> Result<Self, PositionError> {
        if !(base.is_finite() && base > 1.0) {
            let (name, range) = ("base", "above 1");
            return Err(PositionError::Parameter { name, range, value: base });
        }
        if width == 0 || width & 1 == 1 {
            return Err(PositionError::Width { expected: width.saturating_add(1), found: width });
        }
        Ok(Self { base, width })
    }
}

impl<T: Element> PositionEncoding<T> for Sinusoidal {
    fn embedding_scale(&self) -> f32 {
        libm::sqrtf(self.width as f32)
    }

    fn embed(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        if row.len() != self.width {
            return Err(PositionError::Width { expected: self.width, found: row.len() });
        }
        let frequencies = Frequencies::new(f64::from(self.base), self.width);
        let scale = PositionEncoding::<T>::embedding_scale(self);
        for (pair, turn) in row.chunks_exact_mut(2).zip(frequencies) {
            let (sin, cos) = turn.at(n).sin_cos();
            for (x, wave) in pair.iter_mut().zip([sin, cos]) {
                *x = T::from_f32(x.to_f32() * scale + wave);
            }
        }
        Ok(())
    }
}
