use super::scaling::Stretch;
use super::{PositionEncoding, PositionError, Scaling};
use crate::num::invariant::{split, split_mut};
use crate::num::{Element, Frequencies};

/// RoPE: rotates the queries and keys of a head by angles linear in the position (Su et al. 2021, arXiv
/// 2104.09864), so that their product depends on the distance only.
///
/// Column `i` pairs with column `i + d_h/2`; the pair is rotated by `n·base^(−2i/d_h)`, with frequencies optionally
/// stretched by a [`Scaling`]. The angle is an integer fraction of a turn, so it is exact at any position.
///
/// ```
/// use expe_core::position::{PositionEncoding, Rope, Scaling, rotate};
/// let rope = Rope::new(10_000.0, 4, Scaling::None)?;
/// let mut table = [0.0f32; 4];
/// PositionEncoding::<f32>::rotation(&rope, 2, &mut table)?;
/// let mut head = [1.0f32, 0.0, 0.0, 1.0];
/// rotate(&table, &mut head);
/// assert!((head[0] - 2f32.cos()).abs() < 2e-7 && (head[2] - 2f32.sin()).abs() < 2e-7);
/// # Ok::<(), expe_core::position::PositionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rope {
    head_width: usize,
    frequencies: Frequencies,
    stretch: Stretch,
    /// In units of `2^-29`.
    magnitude: u32,
}

impl Rope {
    /// Creates the encoding for heads of `head_width` columns.
    ///
    /// # Errors
    /// [`PositionError::Parameter`] if `base` is not finite and above 1 or a parameter of `scaling` is out of range,
    /// or [`PositionError::Width`] if `head_width` is odd or 0.
    pub fn new(base: f32, head_width: usize, scaling: Scaling) -> Result<Self, PositionError> {
        if head_width == 0 || head_width & 1 == 1 {
            let expected = head_width + 1;
            return Err(PositionError::Width { expected, found: head_width });
        }
        scaling.check()?;
        let (name, range) = ("base", "above 1");
        Ok(Self {
            head_width,
            frequencies: scaling.frequencies(base, head_width).ok_or(PositionError::Parameter {
                name,
                range,
                value: base,
            })?,
            stretch: scaling.stretch(),
            magnitude: scaling.magnitude(),
        })
    }

    /// Fills a table with the rotation of position `n`; `number` converts from units of `2^-29`.
    fn fill<N>(
        &self,
        n: u32,
        table: &mut [N],
        number: impl Fn(i32) -> N,
    ) -> Result<(), PositionError> {
        if table.len() != self.head_width {
            return Err(PositionError::Width { expected: self.head_width, found: table.len() });
        }
        let (cosines, sines) = split_mut(table, self.head_width / 2);
        // At most 2^30 · 3.22 · 2^29 / 2^30: within i32.
        let scaled = |wave: i32| {
            let product = i64::from(wave) * i64::from(self.magnitude);
            number(((product + (1 << 29)) >> 30) as i32)
        };
        for ((c, s), turn) in cosines.iter_mut().zip(sines).zip(self.frequencies.iter()) {
            let (sin, cos) = self.stretch.apply(turn).at(n).sin_cos_fixed();
            (*c, *s) = (scaled(cos), scaled(sin));
        }
        Ok(())
    }
}

impl<T: Element> PositionEncoding<T> for Rope {
    fn rotates(&self) -> bool {
        true
    }

    fn rotation(&self, n: u32, table: &mut [f32]) -> Result<(), PositionError> {
        self.fill(n, table, |fixed| fixed as f32 * (1.0 / (1 << 29) as f32))
    }

    fn rotation_fixed(&self, n: u32, table: &mut [i32]) -> Result<(), PositionError> {
        self.fill(n, table, |fixed| fixed)
    }
}

/// Rotates one head by a table of cosines and sines: `(x_i, x_j) ← (x_i·c − x_j·s, x_j·c + x_i·s)`
/// with `j = i + head.len()/2`.
///
/// The table must have the length of the head; otherwise the head is not changed.
pub fn rotate<T: Element>(table: &[f32], head: &mut [T]) {
    if table.len() != head.len() {
        return;
    }
    let half = head.len() / 2;
    let ((cosines, sines), (low, high)) = (split(table, half), split_mut(head, half));
    for (((a, b), c), s) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
        let (x, y) = (a.to_f32(), b.to_f32());
        *a = T::from_f32(x * c - y * s);
        *b = T::from_f32(y * c + x * s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn turns(scaling: Scaling, width: usize) -> Vec<f64> {
        let stretch = scaling.stretch();
        let frequencies = scaling.frequencies(10_000.0, width).unwrap();
        frequencies.iter().map(|turn| stretch.apply(turn).turns()).collect()
    }

    #[test]
    fn products_depend_on_the_distance_only() {
        let rope = Rope::new(10_000.0, 8, Scaling::None).unwrap();
        let product = |n: u32, m: u32| -> f64 {
            let (mut table, mut q, mut k) =
                ([0.0; 8], [0.3f32, -1.0, 0.7, 2.0, -0.2, 0.9, 1.1, -0.5], [1.0f32; 8]);
            PositionEncoding::<f32>::rotation(&rope, n, &mut table).unwrap();
            rotate(&table, &mut q);
            PositionEncoding::<f32>::rotation(&rope, m, &mut table).unwrap();
            rotate(&table, &mut k);
            q.iter().zip(k).map(|(a, b)| f64::from(*a) * f64::from(b)).sum()
        };
        // Twelve roundings of values below 4: 12 · 4 · 2^-24 with a margin for the sines.
        for shift in [1, 1_000, 1 << 20, 1 << 30] {
            assert!((product(17, 5) - product(17 + shift, 5 + shift)).abs() < 5e-6, "{shift}");
        }
    }

    #[test]
    fn scalings_match_their_papers() {
        let plain = turns(Scaling::None, 64);
        for (plain, linear) in plain.iter().zip(turns(Scaling::Linear { factor: 4.0 }, 64)) {
            assert!((plain / 4.0 / linear - 1.0).abs() < 1e-12);
        }
        let ntk = turns(Scaling::Ntk { factor: 4.0 }, 64);
        assert_eq!(plain[0], ntk[0]);
        assert!((plain[31] / 4.0 / ntk[31] - 1.0).abs() < 1e-12);
        let yarn = turns(Scaling::Yarn { factor: 4.0, original: 2_048 }, 64);
        assert_eq!(plain[0], yarn[0]);
        assert!((plain[31] / 4.0 / yarn[31] - 1.0).abs() < 1e-12);
        assert!(yarn.iter().zip(&plain).all(|(y, p)| *y <= *p && *y >= p / 4.0 - 1e-15));
        let magnitude = Scaling::Yarn { factor: 4.0, original: 64 }.magnitude();
        assert_eq!(magnitude, ((0.1 * 4f64.ln() + 1.0) * 2f64.powi(29)).round() as u32);
    }

    #[test]
    fn floats_are_the_converted_integers() {
        let rope = Rope::new(500.0, 6, Scaling::Yarn { factor: 8.0, original: 100 }).unwrap();
        let (mut fixed, mut table) = ([0; 6], [0.0; 6]);
        for n in [0, 1, 99, 12_345, u32::MAX] {
            PositionEncoding::<f32>::rotation_fixed(&rope, n, &mut fixed).unwrap();
            PositionEncoding::<f32>::rotation(&rope, n, &mut table).unwrap();
            let scaled = fixed.map(|x| (f64::from(x) * 2f64.powi(-29)) as f32);
            assert_eq!(scaled, table);
        }
    }

    #[test]
    fn largest_magnitude_fits_in_integers() {
        // YaRN's largest factor gives the largest values; at position 0 cosines are exactly 1.
        let scaling = Scaling::Yarn { factor: (1u64 << 32) as f32, original: 64 };
        let rope = Rope::new(10_000.0, 8, scaling).unwrap();
        let mut table = [0; 8];
        PositionEncoding::<f32>::rotation_fixed(&rope, 0, &mut table).unwrap();
        let expected = (0.1 * 32.0 * core::f64::consts::LN_2 + 1.0) * 2f64.powi(29);
        assert_eq!(table, [[expected.round() as i32; 4], [0; 4]].as_flattened());
        assert!(PositionEncoding::<f32>::rotation_fixed(&rope, 0, &mut [0; 6]).is_err());
    }

    #[test]
    fn parameters_are_checked() {
        assert!(Rope::new(f32::NAN, 4, Scaling::None).is_err());
        assert!(Rope::new(1.0, 4, Scaling::None).is_err());
        assert!(Rope::new(10_000.0, 5, Scaling::None).is_err());
        assert!(Rope::new(10_000.0, 4, Scaling::Linear { factor: 0.5 }).is_err());
        assert!(Rope::new(10_000.0, 4, Scaling::Linear { factor: 5e9 }).is_err());
        assert!(Rope::new(10_000.0, 4, Scaling::Ntk { factor: f32::NAN }).is_err());
        assert!(Rope::new(10_000.0, 4, Scaling::Yarn { factor: 2.0, original: 0 }).is_err());
    }
}
