use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::error::FormatError;
use crate::position::{Beyond, Growth, MAX_DIGITS, PositionConfig, Scaling};

/// The position encoding in the fixed part of the file, byte for byte. Fields that an encoding does not
/// use are zero.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct RawPosition {
    encoding: u8,
    beyond: u8,
    growth: u8,
    scaling: u8,
    /// Bits of an `f32`, as are the other real numbers.
    start: U32,
    step: U32,
    width: U32,
    digit_base: U32,
    digits: U32,
    has_query_cap: U32,
    query_cap: U32,
    wavelength_base: U32,
    factor: U32,
    original: U32,
}

impl RawPosition {
    /// Returns the position encoding; ignores fields that it does not use.
    pub const fn parse(&self) -> Result<PositionConfig, FormatError> {
        let beyond = match self.beyond {
            0 => Beyond::Refuse,
            1 => Beyond::Saturate,
            code => return FormatError::unknown("beyond", code as u32),
        };
        let growth = match self.growth {
            0 => Growth::Equal,
            1 => Growth::Weighted,
            code => return FormatError::unknown("growth", code as u32),
        };
        let query_cap = match self.has_query_cap.get() {
            0 => None,
            1 => Some(self.query_cap.get()),
            value => return FormatError::unknown("has_query_cap", value),
        };
        let (factor, original) = (f32::from_bits(self.factor.get()), self.original.get());
        let scaling = match self.scaling {
            0 => Scaling::None,
            1 => Scaling::Linear { factor },
            2 => Scaling::Ntk { factor },
            3 => Scaling::Yarn { factor, original },
            code => return FormatError::unknown("scaling", code as u32),
        };
        let base = f32::from_bits(self.wavelength_base.get());
        let (start, step) = (f32::from_bits(self.start.get()), f32::from_bits(self.step.get()));
        let width = self.width.get();
        Ok(match self.encoding {
            0 => PositionConfig::None,
            1 => PositionConfig::Learned,
            2 => PositionConfig::Sinusoidal { base },
            3 => PositionConfig::Rope { base, scaling },
            4 => PositionConfig::Alibi,
            5 => PositionConfig::Expe { start, step, width, query_cap, beyond },
            6 => {
                let (base, digits) = (self.digit_base.get(), self.digits.get());
                // The folded sums need whole runs, and the engine has room for a fixed number of digits.
                if digits == 0 || digits as usize > MAX_DIGITS || width % digits != 0 {
                    return FormatError::unknown("digits", digits);
                }
                PositionConfig::Exqpe {
                    start,
                    step,
                    width,
                    base,
                    digits,
                    growth,
                    query_cap,
                    beyond,
                }
            }
            code => return FormatError::unknown("position encoding", code as u32),
        })
    }

    /// Returns the bytes of a position encoding.
    pub fn new(position: &PositionConfig) -> Self {
        let real = |value: f32| U32::new(value.to_bits());
        let mut raw = Self::new_zeroed();
        match *position {
            PositionConfig::None => raw.encoding = 0,
            PositionConfig::Learned => raw.encoding = 1,
            PositionConfig::Sinusoidal { base } => {
                (raw.encoding, raw.wavelength_base) = (2, real(base));
            }
            PositionConfig::Rope { base, scaling } => {
                (raw.encoding, raw.wavelength_base) = (3, real(base));
                match scaling {
                    Scaling::None => raw.scaling = 0,
                    Scaling::Linear { factor } => (raw.scaling, raw.factor) = (1, real(factor)),
                    Scaling::Ntk { factor } => (raw.scaling, raw.factor) = (2, real(factor)),
                    Scaling::Yarn { factor, original } => {
                        (raw.scaling, raw.factor) = (3, real(factor));
                        raw.original = U32::new(original);
                    }
                }
            }
            PositionConfig::Alibi => raw.encoding = 4,
            PositionConfig::Expe { start, step, width, query_cap, beyond } => {
                raw.encoding = 5;
                raw.set_grid(start, step, width, query_cap, beyond);
            }
            PositionConfig::Exqpe {
                start,
                step,
                width,
                base,
                digits,
                growth,
                query_cap,
                beyond,
            } => {
                raw.encoding = 6;
                raw.set_grid(start, step, width, query_cap, beyond);
                (raw.digit_base, raw.digits) = (U32::new(base), U32::new(digits));
                raw.growth = match growth {
                    Growth::Equal => 0,
                    Growth::Weighted => 1,
                };
            }
        }
        raw
    }

    /// Sets the fields that ExPE and ExQPE share.
    fn set_grid(
        &mut self,
        start: f32,
        step: f32,
        width: u32,
        query_cap: Option<u32>,
        beyond: Beyond,
    ) {
        self.start = U32::new(start.to_bits());
        self.step = U32::new(step.to_bits());
        self.width = U32::new(width);
        self.has_query_cap = U32::new(u32::from(query_cap.is_some()));
        self.query_cap = U32::new(query_cap.unwrap_or(0));
        self.beyond = match beyond {
            Beyond::Refuse => 0,
            Beyond::Saturate => 1,
        };
    }
}
