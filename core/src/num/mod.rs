//! Number formats, elementary functions, integer phase and the random generator.

mod dyadic;
mod element;
#[cfg(feature = "fixed")]
mod fixed_point;
#[cfg(feature = "half")]
mod half_float;
mod integer;
mod math;
mod phase;
mod power;
mod random;

pub use dyadic::Dyadic;
pub use element::{Element, Format};
#[cfg(feature = "micromath")]
pub use math::Approximate;
pub use math::{Exact, Math};
pub use phase::{Frequencies, Turn};
pub(crate) use power::{exp2_of_minus, log2, root};
pub use random::Random;
