use super::{PositionEncoding, PositionError};
use crate::num::{Dyadic, Element, Exponent, Frequencies, root};

/// Sinusoidal positions, which are added to the token embedding (Vaswani et al. 2017, arXiv 1706.03762).
///
/// `x ← √d·x + PE(n)`, where column `2i` of `PE(n)` is `sin(n/base^(2i/d))` and column `2i + 1` the cosine. The
/// angle is an integer fraction of a turn, so it is exact at any position.
///
/// The factor `√d` is from section 3.4 of the paper. Without it, embeddings with small initial values, such as those
/// of a tied head, are negligible compared to sinusoids of amplitude 1, and the model hardly learns.
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
    width: usize,
    /// `√d`.
    scale: f32,
    /// The value of `scale`, for integer arithmetic.
    exact_scale: Dyadic,
    frequencies: Frequencies,
}

impl Sinusoidal {
    /// Creates the encoding for rows of `width` columns. The longest wavelength is close to `2π·base`.
    ///
    /// # Errors
    /// [`PositionError::Parameter`] if `base` is not finite and above 1, or [`PositionError::Width`] if `width` is
    /// odd or 0.
    pub fn new(base: f32, width: usize) -> Result<Self, PositionError> {
        let odd = PositionError::Width { expected: width + 1, found: width };
        if width == 0 || width & 1 == 1 {
            return Err(odd);
        }
        let (name, range) = ("base", "above 1");
        let frequencies = Frequencies::new(base, width).ok_or(PositionError::Parameter {
            name,
            range,
            value: base,
        })?;
        let scale = u64::try_from(width).ok().and_then(root).ok_or(odd)?;
        let exact_scale = scale.to_dyadic().ok_or(odd)?;
        Ok(Self { width, scale, exact_scale, frequencies })
    }

    fn check_width<N>(&self, row: &[N]) -> Result<(), PositionError> {
        let (expected, found) = (self.width, row.len());
        if found == expected { Ok(()) } else { Err(PositionError::Width { expected, found }) }
    }
}

impl<T: Element> PositionEncoding<T> for Sinusoidal {
    fn embedding_scale(&self) -> f32 {
        self.scale
    }

    fn embed(&self, n: u32, row: &mut [T]) -> Result<(), PositionError> {
        self.check_width(row)?;
        for (pair, turn) in row.chunks_exact_mut(2).zip(self.frequencies.iter()) {
            let (sin, cos) = turn.at(n).sin_cos();
            for (x, wave) in pair.iter_mut().zip([sin, cos]) {
                *x = T::from_f32(x.to_f32() * self.scale + wave);
            }
        }
        Ok(())
    }

    fn embed_fixed(
        &self,
        n: u32,
        exponent: Exponent,
        row: &mut [i32],
    ) -> Result<(), PositionError> {
        self.check_width(row)?;
        let scale = self.exact_scale;
        for (pair, turn) in row.chunks_exact_mut(2).zip(self.frequencies.iter()) {
            let (sin, cos) = turn.at(n).sin_cos_fixed();
            for (x, wave) in pair.iter_mut().zip([sin, cos]) {
                let offset = Dyadic { mantissa: wave.into(), exponent: -30 };
                // The product of 24 and 31 bits fits in i64.
                let mantissa = scale.mantissa * i64::from(*x);
                let scaled = Dyadic { mantissa, ..scale }.round_half_up(0);
                *x = offset.add_to_fixed(scaled, exponent);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_follow_the_formula() {
        let sinusoidal = Sinusoidal::new(10_000.0, 6).unwrap();
        for exponent in [-28, -16, -4, 0, 3] {
            for n in [0, 1, 77, 65_536, 1 << 30] {
                let before = [0, 1, -1, 12_345, -54_321, 1 << 20];
                let mut row = before;
                PositionEncoding::<f32>::embed_fixed(&sinusoidal, n, Exponent(exponent), &mut row)
                    .unwrap();
                let unit = 2f64.powi(exponent);
                for (column, (found, x)) in row.into_iter().zip(before).enumerate() {
                    let turn = sinusoidal.frequencies.iter().nth(column / 2).unwrap().at(n);
                    let angle = turn.turns() * core::f64::consts::TAU;
                    let wave = if column % 2 == 0 { angle.sin() } else { angle.cos() };
                    let expected = f64::from(x) * 6f64.sqrt() + wave / unit;
                    // Two roundings to a multiple, the sine's 2.2 · 2^-30, and √6 as f32.
                    let allowed = 1.0 + 2.2 * 2f64.powi(-30) / unit + f64::from(x).abs() * 2e-7;
                    assert!((f64::from(found) - expected).abs() <= allowed, "{found} {expected}");
                }
            }
        }
    }

    #[test]
    fn integers_saturate() {
        let sinusoidal = Sinusoidal::new(10_000.0, 4).unwrap();
        let mut row = [i32::MAX, i32::MIN, 1 << 30, -(1 << 30)];
        PositionEncoding::<f32>::embed_fixed(&sinusoidal, 3, Exponent(-60), &mut row).unwrap();
        // The offsets are sin 3, cos 3, sin 0.03 and cos 0.03, times 2^60 units.
        assert_eq!(row, [i32::MAX, i32::MIN, i32::MAX, i32::MAX]);
        assert!(
            PositionEncoding::<f32>::embed_fixed(&sinusoidal, 3, Exponent(0), &mut [0; 3]).is_err()
        );
    }
}
