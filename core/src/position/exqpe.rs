use super::{
    Beyond, Grid, MAX_DIGITS, OverrideBlock, PositionEncoding, PositionError, Progression,
};
use crate::num::invariant::div_rem;
use crate::num::{Dyadic, Element};

/// How the step of a digit of [`Exqpe`] grows with its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Growth {
    /// `g = 1`: all digits have the step `θ`.
    Equal,
    /// `g = B`: digit `j` has the step `θ·B^j`, its weight in the position.
    #[default]
    Weighted,
}

/// ExQPE: encodes positions as `D` digits in base `B` on a grid that the format `T` represents without rounding.
///
/// The paper (arXiv 2509.19569) mentions a quantization-stable variant of ExPE but does not define it; this
/// definition is specific to this crate. With `n = Σ_j a_j·B^j` and `0 ≤ a_j < B`, the `l/D` columns of digit `j`
/// hold
///
/// `S + θ·g^j·a_j`, with growth `g` = 1 or `B`.
///
/// The top digit does not wrap: it exceeds `B − 1` as long as the format is exact. `D = 1` is ExPE on an exact
/// grid. The constructor guarantees that the encoding is
///
/// - *exact*: every value is represented without rounding,
/// - *invertible*: [`decode`](Self::decode) returns the position, computed in integers,
/// - *bounded*: positions are `0..length`, with `length = B^(D−1)·(number of values of the top digit)`.
///
/// ```
/// use expe_core::position::{Exqpe, Growth};
/// let exqpe = Exqpe::<f32>::new(16.0, 1.0 / 16.0, 8, 16, 2, Growth::Weighted)?;
/// let mut codes = [0.0; 2];
/// exqpe.encode(16 * 3 + 5, &mut codes)?;
/// assert_eq!(codes, [16.0 + 5.0 / 16.0, 16.0 + 3.0]);
/// assert_eq!(exqpe.decode(&codes), Some(53));
/// # Ok::<(), expe_core::position::PositionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exqpe<T = f32> {
    digits: [Option<Grid<T>>; MAX_DIGITS],
    count: usize,
    base: u32,
    width: usize,
    length: u32,
    query_cap: u32,
    beyond: Beyond,
}

impl<T: Element> Exqpe<T> {
    /// Creates the encoding from start `S`, step `θ`, `width` (`l`), `base` (`B`), `digits` (`D`) and growth `g`.
    ///
    /// # Errors
    /// - [`PositionError::Digits`] if `digits` is not in `1..=MAX_DIGITS` or does not divide `width`, `width` is 0,
    ///   or `base` is below 2.
    /// - [`PositionError::Step`] if start and step do not give a progression in `T`.
    /// - [`PositionError::Inexact`] if `T` would round a value of a digit.
    pub fn new(
        start: f32,
        step: f32,
        width: usize,
        base: u32,
        digits: u32,
        growth: Growth,
    ) -> Result<Self, PositionError> {
        let shape = PositionError::Digits { digits, base, width };
        let count = digits as usize;
        if count == 0 || count > MAX_DIGITS || base < 2 || width == 0 {
            return Err(shape);
        }
        if width.checked_rem(count) != Some(0) {
            return Err(shape);
        }
        let bad_step = PositionError::Step { start, step };
        let origin = start.to_dyadic().ok_or(bad_step)?;
        let mut weight = step.to_dyadic().ok_or(bad_step)?.reduced();
        let mut grids = [None; MAX_DIGITS];
        let mut length = 1u64;
        for (digit, place) in (0u32..).zip(grids.iter_mut().take(count)) {
            let inexact = PositionError::Inexact { digit };
            let grid = Grid::<T>::from_dyadic(origin, weight).ok_or(if digit == 0 {
                bad_step
            } else {
                inexact
            })?;
            let top = digit + 1 == digits;
            if grid.exact_length() < if top { 2 } else { base } {
                return Err(inexact);
            }
            let values = if top { grid.exact_length() } else { base };
            length = length.saturating_mul(u64::from(values));
            *place = Some(grid);
            if growth == Growth::Weighted && !top {
                let mantissa = weight.mantissa.checked_mul(i64::from(base)).ok_or(inexact)?;
                weight = Dyadic { mantissa, exponent: weight.exponent }.reduced();
            }
        }
        Ok(Self {
            digits: grids,
            count,
            base,
            width,
            length: u32::try_from(length).unwrap_or(u32::MAX),
            query_cap: u32::MAX,
            beyond: Beyond::Refuse,
        })
    }

    /// Encodes queries at position `min(n, cap)`.
    #[must_use]
    pub const fn with_query_cap(self, cap: u32) -> Self {
        Self { query_cap: cap, ..self }
    }

    /// Sets what happens to positions past the length.
    #[must_use]
    pub const fn with_beyond(self, beyond: Beyond) -> Self {
        Self { beyond, ..self }
    }

    /// Returns the number of positions with pairwise different codes in `T`.
    ///
    /// It is `B^(D−1)·V`, at most `u32::MAX`, where `V` is the number of values of the top digit
    /// ([`Grid::exact_length`]), whether positions past it are an error or saturate.
    pub const fn collision_free_length(&self) -> u32 {
        self.length
    }

    /// Writes the `D` codes of position `n`, lowest digit first.
    ///
    /// # Errors
    /// [`PositionError::BeyondLength`], unless the encoding saturates, or [`PositionError::Width`] if the length of
    /// `codes` is not `D`.
    pub fn encode(&self, n: u32, codes: &mut [T]) -> Result<(), PositionError> {
        self.key_values(n, codes)
    }

    /// Returns the position with these codes, lowest digit first; `None` if there is none.
    pub fn decode(&self, codes: &[T]) -> Option<u32> {
        if codes.len() != self.count {
            return None;
        }
        let mut position = 0u32;
        let mut top = true;
        let grids = self.digits.get(..self.count)?.iter().flatten();
        // Highest digit first, by Horner's rule.
        for (code, grid) in codes.iter().rev().zip(grids.rev()) {
            let digit = grid.decode(*code)?;
            if !top && digit >= self.base {
                return None;
            }
            position = position.checked_mul(self.base)?.checked_add(digit)?;
            top = false;
        }
        (position < self.length).then_some(position)
    }
}

impl<T: Element> PositionEncoding<T> for Exqpe<T> {
    fn length(&self) -> u32 {
        match self.beyond {
            Beyond::Refuse => self.length,
            Beyond::Saturate => u32::MAX,
        }
    }

    fn override_block(&self) -> OverrideBlock {
        OverrideBlock { width: self.width, digits: self.count }
    }

    fn progression(&self, digit: usize) -> Progression {
        match self.digits.get(digit) {
            Some(Some(grid)) => grid.progression(),
            _ => Progression::default(),
        }
    }

    fn key_digits(&self, n: u32, digits: &mut [u32]) -> Result<(), PositionError> {
        if digits.len() != self.count {
            return Err(PositionError::Width { expected: self.count, found: digits.len() });
        }
        let mut rest = self.beyond.limit(n, self.length)?;
        if let Some((top, lower)) = digits.split_last_mut() {
            for digit in lower {
                (rest, *digit) = div_rem(rest, self.base);
            }
            *top = rest;
        }
        Ok(())
    }

    fn query_digits(&self, n: u32, digits: &mut [u32]) -> Result<(), PositionError> {
        self.key_digits(n.min(self.query_cap), digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn round_trips<T: Element>(exqpe: &Exqpe<T>, positions: impl Iterator<Item = u32>) {
        let mut values = vec![T::ZERO; exqpe.count];
        for n in positions {
            exqpe.encode(n, &mut values).unwrap();
            assert_eq!(exqpe.decode(&values), Some(n));
        }
    }

    #[test]
    fn every_position_round_trips_in_f32() {
        for growth in [Growth::Equal, Growth::Weighted] {
            let exqpe = Exqpe::<f32>::new(16.0, 0.0625, 8, 16, 2, growth).unwrap();
            let length = PositionEncoding::length(&exqpe);
            round_trips(&exqpe, (0..length).step_by(1_009).chain([length - 1]));
            assert!(exqpe.encode(length, &mut [0.0; 2]).is_err());
        }
    }

    #[cfg(feature = "half")]
    #[test]
    fn every_position_round_trips_in_half_precision() {
        use half::{bf16, f16};
        for growth in [Growth::Equal, Growth::Weighted] {
            for (base, digits) in [(16, 2), (10, 2), (16, 1), (2, 8), (7, 3)] {
                if let Ok(exqpe) =
                    Exqpe::<bf16>::new(4.0, 0.5, 8 * digits as usize, base, digits, growth)
                {
                    let length = PositionEncoding::length(&exqpe);
                    round_trips(&exqpe, 0..length.min(100_000));
                }
                if let Ok(exqpe) =
                    Exqpe::<f16>::new(0.0, 0.125, digits as usize, base, digits, growth)
                {
                    let length = PositionEncoding::length(&exqpe);
                    round_trips(&exqpe, 0..length.min(100_000));
                }
            }
        }
        // S=4 θ=1/2: bfloat16 holds 4 + a/2 up to 128 exactly, so the top digit has 249 values.
        let lossless = Exqpe::<bf16>::new(4.0, 0.5, 8, 16, 2, Growth::Equal).unwrap();
        assert_eq!(PositionEncoding::length(&lossless), 16 * 249);
        // With S=16 θ=1/16 the second value needs 9 digits, which is an error.
        let rounded = Exqpe::<bf16>::new(16.0, 0.0625, 8, 16, 2, Growth::Weighted);
        assert_eq!(rounded, Err(PositionError::Step { start: 16.0, step: 0.0625 }));
    }

    #[test]
    fn one_digit_is_expe_on_an_exact_grid() {
        let exqpe = Exqpe::<f32>::new(16.0, 0.0625, 4, 10, 1, Growth::Weighted).unwrap();
        let expe = super::super::Expe::<f32>::new(16.0, 0.0625, 4).unwrap();
        for n in [0, 1, 9, 10, 11, 12_345, 1_000_000] {
            let mut code = [0.0];
            exqpe.encode(n, &mut code).unwrap();
            assert_eq!(Ok(code[0]), expe.encode(n));
        }
    }

    #[test]
    fn digits_carry_their_weights() {
        let exqpe = Exqpe::<f32>::new(4.0, 0.5, 6, 10, 3, Growth::Weighted).unwrap();
        let mut digits = [0; 3];
        exqpe.key_digits(98_765, &mut digits).unwrap();
        assert_eq!(digits, [5, 6, 987]);
        exqpe.with_query_cap(42).query_digits(98_765, &mut digits).unwrap();
        assert_eq!(digits, [2, 4, 0]);
        for (digit, step) in [1, 10, 100].into_iter().enumerate() {
            let Progression { start, step: found } = exqpe.progression(digit);
            assert_eq!(start.reduced(), Dyadic { mantissa: 1, exponent: 2 });
            assert_eq!(found.reduced(), Dyadic { mantissa: step, exponent: -1 }.reduced());
        }
        assert_eq!(exqpe.progression(3), Progression::default());
        assert!(exqpe.key_digits(0, &mut [0; 2]).is_err());
    }

    #[test]
    fn shapes_are_checked() {
        for (width, base, digits) in [(8, 16, 0), (8, 1, 2), (9, 16, 2), (9, 2, 9), (0, 16, 1)] {
            let built = Exqpe::<f32>::new(0.0, 1.0, width, base, digits, Growth::Equal);
            assert_eq!(built, Err(PositionError::Digits { digits, base, width }));
        }
        let inexact = Exqpe::<f32>::new(0.0, 0.1, 2, 16, 2, Growth::Equal);
        // 0.1f32 has 24 significant digits, so most of its multiples have more.
        assert_eq!(inexact, Err(PositionError::Inexact { digit: 0 }));
    }
}
