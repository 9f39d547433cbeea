//! Number formats, elementary functions, integer phase and the random generator.

mod division;
mod dyadic;
mod element;
mod exp;
mod exp2;
#[cfg(feature = "fixed")]
mod fixed_point;
#[cfg(feature = "half")]
mod half_float;
mod integer;
pub(crate) mod invariant;
mod math;
mod multiplier;
mod phase;
mod power;
mod prepared;
mod random;
mod shift;
mod to_fixed;

pub use dyadic::Dyadic;
pub use element::{Element, Format};
pub use exp2::{EXP2_FRACTION_BITS, exp2_minus};
#[cfg(feature = "micromath")]
pub use math::Approximate;
pub use math::{Exact, Math};
pub use multiplier::Multiplier;
pub use phase::{Frequencies, Turn};
pub(crate) use power::{exp2_of_minus, log2, root};
pub use prepared::{PreparedMultiplier, RowScales};
pub use random::Random;
pub(crate) use shift::{Shift, round_shift};
pub use shift::{mul_pow2, saturate};
pub use to_fixed::to_fixed;
