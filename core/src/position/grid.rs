use core::marker::PhantomData;

use super::{PositionError, Progression};
use crate::num::{Dyadic, Element, Format};

/// How an encoding treats positions past its collision-free length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Beyond {
    /// They are an error, [`PositionError::BeyondLength`].
    #[default]
    Refuse,
    /// They all get the last code.
    Saturate,
}

impl Beyond {
    /// Returns the position whose code is used for `n`, if there are `length ≥ 1` distinct codes.
    pub(super) fn limit(self, n: u32, length: u32) -> Result<u32, PositionError> {
        match self {
            Self::Refuse if n < length => Ok(n),
            Self::Refuse => Err(PositionError::BeyondLength { position: n, length }),
            Self::Saturate => Ok(n.min(length - 1)),
        }
    }
}

/// The arithmetic progression `S + θ·n` in the format `T`, computed in integers and rounded once.
///
/// `S` and `θ` are floats and therefore dyadic, so every value is `(s + t·n)·2^e` with integers `s` and `t` that
/// have no common factor of two. A format with `p` significant digits
///
/// - represents the value *exactly* while `|s + t·n| ≤ 2^p` (within its range and smallest spacing),
/// - keeps rounded neighbors *distinct* while its spacing is at most `2^r`, that is, while
///   `|s + t·n| ≤ 2^(p + r)`. `2^r` is the largest power of two below `t`, because two reals further apart than
///   the spacing never round to the same value. It is `t` itself if `t` is a power of two and no value is a tie
///   between two multiples of it.
///
/// The collision-free [`length`](Self::length) is the number of positions up to the larger bound. For
/// `S = 0`, `θ = 1` it is `2^p + 1`: the positions `0..=16_777_216` in `f32`, `0..=2_048` in `f16`,
/// `0..=256` in `bf16`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid<T> {
    start: i64,
    step: i64,
    exponent: i32,
    length: u32,
    exact: u32,
    format: PhantomData<T>,
}

impl<T: Element> Grid<T> {
    /// Creates the progression from `start` (`S`) with the step `step` (`θ`).
    ///
    /// # Errors
    /// [`PositionError::Step`] if the step is zero, either number is not finite, their magnitudes differ by a
    /// factor above `2^38`, or positions 0 and 1 have the same code.
    pub fn new(start: f32, step: f32) -> Result<Self, PositionError> {
        let error = PositionError::Step { start, step };
        match (start.to_dyadic(), step.to_dyadic()) {
            (Some(start), Some(step)) => Self::from_dyadic(start, step).ok_or(error),
            _ => Err(error),
        }
    }

    /// Creates the progression from dyadic rationals; `None` where [`new`](Self::new) returns an error.
    pub(super) fn from_dyadic(start: Dyadic, step: Dyadic) -> Option<Self> {
        let (start, step) = (start.reduced(), step.reduced());
        let exponent = if start.mantissa == 0 || step.exponent < start.exponent {
            step.exponent
        } else {
            start.exponent
        };
        let (start, step) = (start.at_exponent(exponent)?, step.at_exponent(exponent)?);
        let steps = step.unsigned_abs();
        // Keeps start + step·n inside i64 for every n counted below.
        if steps == 0 || steps >= 1 << 62 || start.unsigned_abs() >= 1 << 62 {
            return None;
        }
        let mut grid = Self { start, step, exponent, length: 0, exact: 0, format: PhantomData };
        let spacing = grid.widest_spacing();
        let (exact, apart) = match T::FORMAT {
            Format::Float { digits, quantum, top } => {
                let largest = power(digits) - 1;
                let range = shifted(largest, top - exponent);
                let on_grid = exponent >= quantum;
                let exact = if on_grid { range.min(power(digits)) } else { -1 };
                let separated = quantum - exponent <= spacing;
                let widest = power(digits + spacing as u32);
                let apart = if separated { range.min(widest) } else { -1 };
                ((-exact, exact), (-apart, apart))
            }
            Format::Fixed { quantum, lowest, highest } => {
                let fine = quantum - exponent;
                let range = (shifted(lowest, fine), shifted(highest, fine));
                let none = (1, -1);
                (if fine <= 0 { range } else { none }, if fine <= spacing { range } else { none })
            }
        };
        grid.exact = grid.count_within(exact);
        grid.length = grid.count_within(apart).max(grid.exact);
        (grid.length >= 2).then_some(grid)
    }

    /// Returns the largest `r` such that values `2^exponent·(s + t·n)` rounded to multiples of
    /// `2^(exponent + r)` are distinct.
    fn widest_spacing(&self) -> i32 {
        let steps = self.step.unsigned_abs();
        let log = steps.checked_ilog2().unwrap_or(0) as i32;
        if !steps.is_power_of_two() {
            return log;
        }
        let within = self.start.unsigned_abs() & (steps - 1);
        let tie = steps > 1 && within == steps >> 1;
        if tie { log - 1 } else { log }
    }

    /// Returns the number of positions from 0 on whose mantissas are in `low..=high`.
    fn count_within(&self, (low, high): (i64, i64)) -> u32 {
        // The integers stay below 2^62, so that no position counted here overflows `mantissa`.
        let (low, high) = (low.max(-power(62)), high.min(power(62)));
        if self.start < low || self.start > high {
            return 0;
        }
        let room = if self.step > 0 { high - self.start } else { self.start - low };
        let steps = room.unsigned_abs().checked_div(self.step.unsigned_abs()).unwrap_or(0);
        u32::try_from(steps + 1).unwrap_or(u32::MAX)
    }

    /// Returns the number of positions from 0 on that have pairwise different codes in `T`.
    pub const fn length(&self) -> u32 {
        self.length
    }

    /// Returns the number of positions from 0 on whose codes `T` represents without rounding.
    pub const fn exact_length(&self) -> u32 {
        self.exact
    }

    /// Returns the exact value `S + θ·n`; `None` for `n ≥ length`.
    pub fn exact_value(&self, n: u32) -> Option<Dyadic> {
        if n >= self.length {
            return None;
        }
        self.progression().value(n)
    }

    /// Returns `S` and `θ` as exact numbers with the same exponent.
    pub const fn progression(&self) -> Progression {
        let exponent = self.exponent;
        Progression {
            start: Dyadic { mantissa: self.start, exponent },
            step: Dyadic { mantissa: self.step, exponent },
        }
    }

    /// Returns the code of position `n`, `S + θ·n` rounded once; `None` for `n ≥ length`.
    pub fn encode(&self, n: u32) -> Option<T> {
        T::from_dyadic(self.exact_value(n)?)
    }

    /// Returns the position whose code is `code`; `None` if there is none.
    pub fn decode(&self, code: T) -> Option<u32> {
        // Even a rounded code is a multiple of 2^exponent, because the spacing is at least that.
        let mantissa = code.to_dyadic()?.at_exponent(self.exponent)?;
        let offset = mantissa.checked_sub(self.start)?;
        let quotient = offset.checked_div(self.step)?;
        // Rounding changed the code by less than half a step, so the position is one of the three nearest.
        (-1..=1)
            .filter_map(|near| u32::try_from(quotient.checked_add(near)?).ok())
            .find(|n| self.encode(*n) == Some(code))
    }
}

/// Returns `2^n`, saturating at `2^62`.
const fn power(n: u32) -> i64 {
    1 << if n < 62 { n } else { 62 }
}

/// Returns `value · 2^by` rounded toward zero, saturating at `±2^62`.
const fn shifted(value: i64, by: i32) -> i64 {
    let magnitude = value.unsigned_abs();
    let moved = if by < 0 {
        match magnitude.checked_shr(by.unsigned_abs()) {
            Some(moved) => moved,
            None => 0,
        }
    } else if magnitude.leading_zeros() as i64 - 2 < by as i64 {
        if magnitude == 0 { 0 } else { 1 << 62 }
    } else {
        magnitude << by
    };
    let moved = if moved > 1 << 62 { 1 << 62 } else { moved as i64 };
    if value < 0 { -moved } else { moved }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_integers_in_f32() {
        let grid = Grid::<f32>::new(0.0, 1.0).unwrap();
        assert_eq!((grid.length(), grid.exact_length()), (16_777_217, 16_777_217));
        assert_eq!(grid.encode(16_777_216), Some(16_777_216.0));
        assert_eq!(grid.encode(16_777_217), None);
    }

    #[test]
    fn rounded_codes_are_distinct_up_to_the_length() {
        let grid = Grid::<f32>::new(16.0, 0.1).unwrap();
        assert!(grid.exact_length() < 10);
        // 0.1 exceeds the spacing 1/16 below 2^20 and the spacing is 1/8 above it.
        assert_eq!(grid.length(), ((1_048_576.0 - 16.0) / f64::from(0.1f32)) as u32 + 1);
        for n in (0..grid.length() - 1).step_by(997) {
            assert!(grid.encode(n).unwrap() < grid.encode(n + 1).unwrap());
            assert_eq!(grid.decode(grid.encode(n).unwrap()), Some(n));
        }
    }

    #[test]
    fn steps_that_do_not_separate_neighbors_are_errors() {
        let bad =
            [(0.0, 0.0), (f32::NAN, 1.0), (0.0, f32::INFINITY), (1e30, 1.0), (16_777_216.0, 0.5)];
        for (start, step) in bad {
            assert!(Grid::<f32>::new(start, step).is_err(), "{start} {step}");
        }
    }

    #[test]
    fn negative_steps_and_starts() {
        let down = Grid::<f32>::new(3.0, -1.0).unwrap();
        assert_eq!(down.length(), 16_777_216 + 3 + 1);
        assert_eq!(down.decode(-1_000.0), Some(1_003));
        assert_eq!(down.decode(4.0), None);
        assert_eq!(down.decode(0.5), None);
    }

    #[cfg(feature = "half")]
    mod exhaustive {
        use super::*;
        use half::{bf16, f16};
        use std::collections::HashMap;

        /// The first two positions that share a rounded value, found by trying them all.
        fn first_collision<T: Element>(start: f32, step: f32, tries: u32) -> Option<u32> {
            let mut seen = HashMap::new();
            (0..tries).find(|n| {
                let exact = f64::from(start) + f64::from(step) * f64::from(*n);
                let code = T::from_f32(exact as f32).to_f32();
                assert!((exact as f32) as f64 == exact, "the reference needs exact values");
                !code.is_finite() || seen.insert(code.to_bits(), *n).is_some()
            })
        }

        fn agrees<T: Element>(start: f32, step: f32) {
            let Ok(grid) = Grid::<T>::new(start, step) else {
                assert!(first_collision::<T>(start, step, 4).is_some(), "{start} {step} refused");
                return;
            };
            let collision = first_collision::<T>(start, step, 70_000).unwrap_or(70_000);
            assert!(
                grid.length() <= collision,
                "S={start} θ={step}: {} > {collision}",
                grid.length()
            );
            // The bound looks at magnitudes, not at the parity of each value: it may stop a few
            // positions early, never late.
            assert!(
                grid.length() + 4 >= collision.min(70_000),
                "S={start} θ={step}: {} is far below {collision}",
                grid.length()
            );
            for n in 0..grid.length().min(70_000) {
                assert_eq!(grid.decode(grid.encode(n).unwrap()), Some(n), "S={start} θ={step}");
            }
        }

        #[test]
        fn length_against_enumeration() {
            for start in [0.0, 1.0, -1.0, 16.0, 0.5, -7.25, 100.0, 255.0, 1000.0] {
                for step in [1.0, 0.5, 0.125, 0.0625, 2.0, 3.0, 0.75, -1.0, -0.375, 5.0, 64.0] {
                    agrees::<f16>(start, step);
                    agrees::<bf16>(start, step);
                }
            }
        }

        #[test]
        fn consecutive_integers() {
            assert_eq!(Grid::<f16>::new(0.0, 1.0).unwrap().length(), 2_049);
            assert_eq!(Grid::<bf16>::new(0.0, 1.0).unwrap().length(), 257);
        }

        #[test]
        fn exact_length_is_exact() {
            for (start, step) in [(0.0, 1.0), (8.0, 0.0625), (4.0, 0.5), (1.0, 3.0), (-3.0, 0.25)] {
                let grid = Grid::<bf16>::new(start, step).unwrap();
                for n in 0..grid.exact_length() {
                    assert_eq!(grid.encode(n).unwrap().to_f32(), start + step * n as f32);
                }
            }
        }
    }

    #[cfg(feature = "fixed")]
    #[test]
    fn fixed_point_covers_its_whole_range() {
        use fixed::types::{I8F8, I16F16, U8F8};
        assert_eq!(Grid::<I8F8>::new(0.0, 1.0 / 256.0).unwrap().length(), 32_768);
        assert_eq!(Grid::<I8F8>::new(-128.0, 1.0 / 256.0).unwrap().length(), 65_536);
        assert_eq!(Grid::<I8F8>::new(0.0, -1.0).unwrap().length(), 129);
        assert_eq!(Grid::<U8F8>::new(0.0, 1.0).unwrap().length(), 256);
        // Half the spacing cannot keep neighbors apart; one and a half times can, by rounding.
        assert!(Grid::<I8F8>::new(0.0, 1.0 / 512.0).is_err());
        let rounded = Grid::<I8F8>::new(0.0, 3.0 / 512.0).unwrap();
        assert_eq!(rounded.exact_length(), 0);
        let codes: std::collections::HashSet<_> =
            (0..rounded.length()).map(|n| rounded.encode(n).unwrap()).collect();
        assert_eq!(codes.len(), rounded.length() as usize);
        let fine = Grid::<I16F16>::new(16.0, 1.0 / 16.0).unwrap();
        assert_eq!(fine.length(), (32_768 - 16) * 16);
        assert_eq!(fine.decode(fine.encode(12_345).unwrap()), Some(12_345));
    }
}
