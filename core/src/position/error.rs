use core::fmt;

/// Why an encoding cannot be built or cannot encode a position.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PositionError {
    /// A position is past the collision-free length.
    BeyondLength {
        /// The requested position.
        position: u32,
        /// The number of positions that the encoding can distinguish.
        length: u32,
    },
    /// A row, head or list of values has the wrong number of elements.
    Width {
        /// Elements needed.
        expected: usize,
        /// Elements found.
        found: usize,
    },
    /// The step is zero, not finite, or so small relative to the start that neighboring positions share a code.
    Step {
        /// The start `S`.
        start: f32,
        /// The step `θ`.
        step: f32,
    },
    /// A value of the encoding is not representable in the number format without rounding.
    Inexact {
        /// The digit whose values are not representable.
        digit: u32,
    },
    /// The number of digits is not in `1..=MAX_DIGITS` or does not divide the width, or the base is less than 2.
    Digits {
        /// Number of digits `D`.
        digits: u32,
        /// Base `B`.
        base: u32,
        /// Overridden columns `l`.
        width: usize,
    },
    /// A parameter, such as the rotary base or a scaling factor, is not finite or out of range.
    Parameter {
        /// The name of the parameter.
        name: &'static str,
        /// The allowed range.
        range: &'static str,
        /// The value found.
        value: f32,
    },
}

impl fmt::Display for PositionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BeyondLength { position, length } => write!(
                f,
                "position {position} is past the {length} positions that this encoding tells apart; \
                 use a smaller step, a wider number format, or ask for saturation"
            ),
            Self::Width { expected, found } => {
                write!(f, "expected {expected} elements, found {found}")
            }
            Self::Step { start, step } => write!(
                f,
                "step {step} from start {start} gives neighboring positions one code in this number format"
            ),
            Self::Inexact { digit } => write!(
                f,
                "digit {digit} has values that this number format rounds; \
                 choose a start and a step that are multiples of a larger power of two"
            ),
            Self::Digits { digits, base, width } => write!(
                f,
                "{digits} digits in base {base} over {width} columns: needs 1 to {} digits, base 2 or more, \
                 and a width that the digits divide",
                super::MAX_DIGITS
            ),
            Self::Parameter { name, range, value } => {
                write!(f, "`{name}` is {value}; it must be finite and {range}")
            }
        }
    }
}

impl core::error::Error for PositionError {}
