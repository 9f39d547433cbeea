/// The unit `2^e` of fixed-point numbers: the integer `x` represents `x·2^e`.
///
/// ```
/// use expe_core::internals::{Exponent, to_fixed};
/// assert_eq!(to_fixed(1.5, Exponent(-16)), 98_304);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Exponent(pub i32);
