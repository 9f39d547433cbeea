//! Numbers: element types of encodings, elementary functions, fixed point, integer angles, random numbers.

mod division;
mod dyadic;
pub(crate) mod element;
mod exp;
pub(crate) mod exp2;
mod exponent;
#[cfg(feature = "fixed")]
mod fixed_point;
#[cfg(feature = "half")]
mod half_float;
mod integer;
pub(crate) mod invariant;
pub(crate) mod math;
pub(crate) mod multiplier;
pub(crate) mod phase;
mod power;
pub(crate) mod prepared;
pub(crate) mod random;
pub(crate) mod shift;
pub(crate) mod to_fixed;

pub use dyadic::Dyadic;
pub use element::Element;
pub(crate) use element::Format;
pub(crate) use exp2::{EXP2_FRACTION_BITS, exp2_minus};
pub use exponent::Exponent;
#[cfg(feature = "micromath")]
pub use math::Approximate;
pub use math::Exact;
pub(crate) use math::Math;
pub(crate) use multiplier::Multiplier;
pub(crate) use phase::{Frequencies, Turn};
pub(crate) use power::{exp2_of_minus, log2, root};
pub(crate) use prepared::{PreparedMultiplier, RowScales};
pub(crate) use random::Random;
pub(crate) use shift::{Shift, round_shift};
pub(crate) use shift::{mul_pow2, saturate};
pub(crate) use to_fixed::to_fixed;
