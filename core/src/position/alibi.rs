use super::{PositionEncoding, PositionError};
use crate::num::{Dyadic, Element, exp2_of_minus};

/// ALiBi: lowers scores by a slope times the distance (Press et al. 2022, arXiv 2108.12409).
///
/// If the number of heads `H` is a power of two, head `h` has the slope `2^(−8(h+1)/H)`. Otherwise, as in the
/// paper's code, the heads have the slopes for the next lower power of two `P`, then every other slope for `2P`.
///
/// ```
/// use expe_core::position::{Alibi, PositionEncoding};
/// let alibi = Alibi::new(4)?;
/// assert_eq!(PositionEncoding::<f32>::bias(&alibi, 0, 10, 7), -0.75);
/// # Ok::<(), expe_core::position::PositionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alibi {
    /// `⌊log2⌋` of the number of heads.
    log: u32,
}

impl Alibi {
    /// Creates the encoding for layers of `heads` heads.
    ///
    /// # Errors
    /// [`PositionError::Width`] if `heads` is 0 or at least `2^31`.
    pub fn new(heads: usize) -> Result<Self, PositionError> {
        match heads.checked_ilog2() {
            Some(log) if log < 31 => Ok(Self { log }),
            _ => Err(PositionError::Width { expected: 1, found: heads }),
        }
    }
}

impl<T: Element> PositionEncoding<T> for Alibi {
    /// Computed in integers and rounded once.
    fn slope(&self, head: usize) -> f32 {
        // The slope is 2^(−eighths/P).
        let eighths = match head.checked_sub(1 << self.log) {
            None => (head + 1) * 8,
            Some(extra) => (extra * 2 + 1) * 4,
        } as u64;
        let fraction = (eighths << (63 - self.log)) << 1;
        let whole = i32::try_from(eighths >> self.log).unwrap_or(i32::MAX);
        let mantissa = (exp2_of_minus(fraction.into()) >> 1) as i64;
        let exponent = (-63i32).saturating_sub(whole);
        f32::from_dyadic(Dyadic { mantissa, exponent }).unwrap_or(f32::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slopes<const H: usize>() -> [f32; H] {
        let alibi = Alibi::new(H).unwrap();
        core::array::from_fn(|head| PositionEncoding::<f32>::slope(&alibi, head))
    }

    #[test]
    fn slopes_match_the_paper() {
        assert_eq!(
            slopes::<8>(),
            [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625]
        );
        assert_eq!(slopes::<1>(), [0.00390625]);
        let six = slopes::<6>();
        assert_eq!(six[..4], slopes::<4>());
        assert_eq!(six[4..], [0.5, 0.125]);
        assert!(Alibi::new(0).is_err());
    }
}
