//! The guarantees of ExPE and ExQPE, checked in every number format against exact rationals.

use std::cell::Cell;
use std::fmt::Debug;

use expe_core::internals::Format;
use expe_core::num::Element;
use expe_core::position::{Beyond, Expe, Exqpe, Growth, PositionEncoding, PositionError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Encodings of at most this many positions are tested exhaustively.
const ALL: u32 = 1 << 20;

/// A number format with the conversions to and from `f64` of the crate that defines it.
trait Number: Element {
    /// Converts exactly; `None` if the format cannot represent the value.
    fn exactly(value: f64) -> Option<Self>;
    fn value(self) -> f64;
}

/// Converts `mantissa · 2^exponent` exactly; `None` if the format cannot represent it.
fn representable<T: Number>(mantissa: i128, exponent: i32) -> Option<T> {
    let zeros = if mantissa == 0 { 0 } else { mantissa.trailing_zeros() };
    let odd = mantissa >> zeros;
    // No format here has more than 53 significant digits.
    let exact = odd.unsigned_abs() < 1 << 53;
    exact.then(|| T::exactly(odd as f64 * 2f64.powi(exponent + zeros as i32)))?
}

/// `S = start·2^exponent` and `θ = step·2^exponent` with the rest of an ExQPE.
#[derive(Debug, Clone, Copy)]
struct Case {
    start: i32,
    step: i32,
    exponent: i32,
    base: u32,
    digits: u32,
    growth: Growth,
}

impl Case {
    fn start(&self) -> f32 {
        self.start as f32 * 2f32.powi(self.exponent)
    }

    fn step(&self) -> f32 {
        self.step as f32 * 2f32.powi(self.exponent)
    }

    fn build<T: Element>(&self) -> Result<Exqpe<T>, PositionError> {
        let width = 2 * self.digits as usize;
        Exqpe::new(self.start(), self.step(), width, self.base, self.digits, self.growth)
    }

    /// The mantissa of `S + θ·g^j·a`.
    fn mantissa(&self, digit: u32, a: u32) -> i128 {
        let weight = match self.growth {
            Growth::Equal => 1,
            Growth::Weighted => i128::from(self.base).pow(digit),
        };
        i128::from(self.start) + i128::from(self.step) * weight * i128::from(a)
    }

    /// Returns how many values `a = 0, 1, …` of a digit the format represents, up to `most`.
    fn values<T: Number>(&self, digit: u32, most: u32) -> u32 {
        let held = |a: &u32| representable::<T>(self.mantissa(digit, *a), self.exponent).is_some();
        (0..most).find(|a| !held(a)).unwrap_or(most)
    }

    /// The digits of a position.
    fn split(&self, n: u32) -> Vec<u32> {
        let place = |j| self.base.checked_pow(j);
        let digits = (0..self.digits).map(|j| n.checked_div(place(j)?));
        let digits = digits.map(|shifted| shifted.unwrap_or(0)).enumerate();
        let top = self.digits as usize - 1;
        digits.map(|(j, a)| if j == top { a } else { a % self.base }).collect()
    }
}

/// Cases whose numbers are multiples of `2^exponent` for one of `exponents`.
fn cases(exponents: std::ops::Range<i32>) -> impl Strategy<Value = Case> {
    let step = prop_oneof![4 => Just(1i32), 1 => -3i32..=16];
    let growth = prop_oneof![Just(Growth::Equal), Just(Growth::Weighted)];
    (-70i32..=200, step, exponents, 2u32..=18, 1u32..=5, growth).prop_map(
        |(start, step, exponent, base, digits, growth)| Case {
            // Half of the cases start at zero.
            start: if start < 0 && start % 2 == 0 { 0 } else { start },
            step,
            exponent,
            base,
            digits,
            growth,
        },
    )
}

/// Returns all positions if they are few; otherwise both ends, the boundaries between digits, and `random` ones.
fn positions(case: &Case, length: u32, random: &[u32]) -> Vec<u32> {
    if length <= ALL {
        return (0..length).collect();
    }
    let seams = (1..case.digits).filter_map(|j| case.base.checked_pow(j)).filter(|n| *n < length);
    let near = seams.flat_map(|n| [n - 1, n, n + 1]);
    let ends = (0..4_096).chain(length - 4_096..length);
    ends.chain(near).chain(random.iter().map(|n| n % length)).collect()
}

fn check_exqpe<T: Number>(case: &Case, random: &[u32]) -> Result<bool, TestCaseError> {
    let top = case.digits - 1;
    let exqpe = match case.build::<T>() {
        Ok(exqpe) => exqpe,
        Err(PositionError::Step { .. }) => {
            // Not even two values of the lowest digit, or one more than the bound sees.
            prop_assert!(case.step == 0 || case.values::<T>(0, 4) <= 2);
            return Ok(false);
        }
        Err(PositionError::Inexact { digit }) => {
            let needed = if digit == top { 2 } else { case.base };
            prop_assert!(case.values::<T>(digit, needed + 1) <= needed, "digit {digit} rejected");
            return Ok(false);
        }
        Err(other) => return Err(TestCaseError::fail(other.to_string())),
    };

    // Bounded: B^(D−1) times the values of the top digit. Past 2^p a format holds every other
    // mantissa, so the bound may leave out one value.
    let length = exqpe.collision_free_length();
    prop_assert_eq!(PositionEncoding::<T>::length(&exqpe), length);
    let below = u64::from(case.base).pow(top);
    let values = u32::try_from(u64::from(length) / below).unwrap();
    if length < u32::MAX {
        prop_assert_eq!(u64::from(length), u64::from(values) * below);
        let last = representable::<T>(case.mantissa(top, values - 1), case.exponent);
        prop_assert!(last.is_some());
        let next = [values, values + 1];
        let held = next.map(|a| representable::<T>(case.mantissa(top, a), case.exponent).is_some());
        prop_assert!(held != [true, true], "{length} positions are too few");
    }

    // Exact, injective, invertible.
    let (mut codes, mut digits) =
        (vec![T::ZERO; case.digits as usize], vec![0; case.digits as usize]);
    for n in positions(case, length, random) {
        exqpe.encode(n, &mut codes).unwrap();
        exqpe.key_digits(n, &mut digits).unwrap();
        prop_assert_eq!(&digits, &case.split(n));
        for (j, (code, a)) in (0u32..).zip(codes.iter().zip(&digits)) {
            let exact = representable::<T>(case.mantissa(j, *a), case.exponent);
            prop_assert_eq!(exact, Some(*code), "digit {} of {}", j, n);
        }
        prop_assert_eq!(exqpe.decode(&codes), Some(n));
    }

    // Past the end: an error, or the last code if the encoding saturates.
    let saturating = exqpe.with_beyond(Beyond::Saturate);
    let mut last = codes.clone();
    exqpe.encode(length - 1, &mut last).unwrap();
    for n in [length, length.saturating_add(1), u32::MAX] {
        let rejected = PositionError::BeyondLength { position: n, length };
        prop_assert_eq!(exqpe.encode(n, &mut codes), Err(rejected));
        prop_assert_eq!(exqpe.query_values(n, &mut codes), Err(rejected));
        saturating.encode(n, &mut codes).unwrap();
        prop_assert_eq!(&codes, &last);
        prop_assert_eq!(saturating.decode(&codes), Some(length - 1));
    }
    Ok(true)
}

fn check_expe<T: Number>(case: &Case, random: &[u32]) -> Result<bool, TestCaseError> {
    let Ok(expe) = Expe::<T>::new(case.start(), case.step(), 3) else {
        return Ok(false);
    };
    let length = expe.collision_free_length();
    prop_assert!(length >= 2);
    // Codes of neighbors differ in the direction of the step, so all codes are distinct.
    let code = |n| expe.encode(n).map(T::value);
    for n in positions(case, length, random) {
        let (here, decoded) = (code(n).unwrap(), expe.decode(expe.encode(n).unwrap()));
        prop_assert_eq!(decoded, Some(n));
        if let Ok(next) = code(n + 1) {
            prop_assert!((next > here) == (case.step > 0) && next != here, "{} and the next", n);
        }
    }
    let last = expe.encode(length - 1).unwrap();
    let saturating = expe.with_beyond(Beyond::Saturate);
    let beyond = random.iter().map(|n| n.max(&length));
    for n in beyond.chain(&[length, length.saturating_add(1), u32::MAX]).copied() {
        let rejected = PositionError::BeyondLength { position: n, length };
        prop_assert_eq!(expe.encode(n), Err(rejected));
        let (mut value, mut digit, mut row) = ([T::ZERO], [0], [T::ZERO; 4]);
        prop_assert_eq!(expe.query_values(n, &mut value), Err(rejected));
        prop_assert_eq!(expe.key_digits(n, &mut digit), Err(rejected));
        prop_assert_eq!(expe.override_key(n, &mut row), Err(rejected));
        prop_assert_eq!(row, [T::ZERO; 4]);
        prop_assert_eq!(saturating.encode(n), Ok(last));
        saturating.key_digits(n, &mut digit).unwrap();
        prop_assert_eq!(digit, [length - 1]);
        // A cap below the length applies to queries only: keys past the length are still errors.
        let capped = expe.with_query_cap(length - 1);
        prop_assert_eq!(capped.query_values(n, &mut value), Ok(()));
        prop_assert_eq!(value, [last]);
        prop_assert_eq!(capped.key_values(n, &mut value), Err(rejected));
    }
    Ok(true)
}

/// The smallest base that is too large for a digit is an error; the base before it is accepted.
fn check_edges<T: Number>() {
    use Growth::{Equal, Weighted};
    // A step with `values` values from zero, a power of two or one more.
    let (step, values) = match T::FORMAT {
        Format::Float { digits, .. } => (1.0, (1 << digits) + 1),
        Format::Fixed { quantum, highest, .. } => {
            (2f32.powi(quantum + highest.ilog2() as i32 - 3), 16)
        }
    };
    let build = |step, base, digits, growth| Exqpe::<T>::new(0.0, step, 60, base, digits, growth);
    let length = |exqpe: Result<Exqpe<T>, _>| exqpe.map(|e| e.collision_free_length());
    let square = u64::from(values).pow(2).try_into().unwrap_or(u32::MAX);
    assert_eq!(length(build(step, values, 2, Equal)), Ok(square));
    let rejected = Err(PositionError::Inexact { digit: 0 });
    assert_eq!(length(build(step, values + 1, 2, Equal)), rejected);
    // Weighted by 4 from an eighth of that step, the digits have 128, 32, 8 and 2 values: enough for
    // the fourth at the top, too few below a fifth.
    if values == 16 {
        assert_eq!(length(build(step / 8.0, 4, 4, Weighted)), Ok(4 * 4 * 4 * 2));
        let rejected = Err(PositionError::Inexact { digit: 3 });
        assert_eq!(length(build(step / 8.0, 4, 5, Weighted)), rejected);
    }
    // Half the spacing of a fixed-point format; in the others, one digit more than they have.
    let (start, fine) = match T::FORMAT {
        Format::Float { digits, .. } => (1.0, 0.5f32.powi(digits as i32)),
        Format::Fixed { quantum, .. } => (0.0, 2f32.powi(quantum - 1)),
    };
    let rejected = PositionError::Step { start, step: fine };
    assert_eq!(Exqpe::<T>::new(start, fine, 60, 2, 1, Equal), Err(rejected));
}

/// Runs `check` on many cases, of which at least an eighth must be valid in the format.
fn run(
    exponents: std::ops::Range<i32>,
    check: impl Fn(&Case, &[u32]) -> Result<bool, TestCaseError>,
) {
    let cases_in_all = 64;
    let config = Config { cases: cases_in_all, failure_persistence: None, ..Config::default() };
    let built = Cell::new(0);
    let inputs = (cases(exponents), prop::collection::vec(any::<u32>(), 2_000));
    TestRunner::new(config)
        .run(&inputs, |(case, random)| {
            built.set(built.get() + u32::from(check(&case, &random)?));
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(built.get() >= cases_in_all / 8, "only {} encodings were built", built.get());
}

macro_rules! formats {
    ($($name:ident: $type:ty, $exponents:expr, |$value:ident| $exactly:expr;)*) => { $(
        mod $name {
            use super::*;

            impl Number for $type {
                fn exactly($value: f64) -> Option<Self> {
                    $exactly
                }

                fn value(self) -> f64 {
                    f64::from(self)
                }
            }

            #[test]
            fn exqpe_is_exact_injective_invertible_and_bounded() {
                run($exponents, check_exqpe::<$type>);
            }

            #[test]
            fn exqpe_that_does_not_fit_is_an_error() {
                check_edges::<$type>();
            }

            #[test]
            fn expe_positions_never_share_a_code() {
                run($exponents, check_expe::<$type>);
            }
        }
    )* };
}

formats! {
    f32: f32, -8..8, |x| (f64::from(x as f32) == x).then_some(x as f32);
    i8: i8, 0..2, |x| (f64::from(x as i8) == x).then_some(x as i8);
    i16: i16, 0..4, |x| (f64::from(x as i16) == x).then_some(x as i16);
}

#[cfg(feature = "half")]
mod halves {
    use super::*;

    formats! {
        f16: half::f16, -6..6, |x| Some(half::f16::from_f64(x)).filter(|y| f64::from(*y) == x);
        bf16: half::bf16, -6..6, |x| Some(half::bf16::from_f64(x)).filter(|y| f64::from(*y) == x);
    }
}

#[cfg(feature = "fixed")]
mod fixed_point {
    use super::*;
    use fixed::types::*;

    formats! {
        i8f0: I8F0, 0..2, |x| Self::checked_from_num(x).filter(|y| f64::from(*y) == x);
        i4f4: I4F4, -4..-2, |x| Self::checked_from_num(x).filter(|y| f64::from(*y) == x);
        u8f0: U8F0, 0..2, |x| Self::checked_from_num(x).filter(|y| f64::from(*y) == x);
        i8f8: I8F8, -8..-4, |x| Self::checked_from_num(x).filter(|y| f64::from(*y) == x);
        i4f12: I4F12, -12..-8, |x| Self::checked_from_num(x).filter(|y| f64::from(*y) == x);
        u8f8: U8F8, -8..-4, |x| Self::checked_from_num(x).filter(|y| f64::from(*y) == x);
        i16f16: I16F16, -16..0, |x| Self::checked_from_num(x).filter(|y| f64::from(*y) == x);
        i2f30: I2F30, -30..-20, |x| Self::checked_from_num(x).filter(|y| f64::from(*y) == x);
        u16f16: U16F16, -16..0, |x| Self::checked_from_num(x).filter(|y| f64::from(*y) == x);
    }
}
