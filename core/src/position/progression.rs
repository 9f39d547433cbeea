use crate::num::Dyadic;

/// The largest number of digits of a position.
pub const MAX_DIGITS: usize = 8;

/// The exact values of one digit of [`Expe`](super::Expe) or [`Exqpe`](super::Exqpe):
/// `start + step·a` for the digit `a`.
///
/// It is `S + θ·n` for ExPE and `S + θ·g^j·a_j` for digit `j` of ExQPE. The difference of two positions, as in the
/// relative form of the score, depends on the step only.
///
/// ```
/// use expe_core::num::Dyadic;
/// use expe_core::position::{Expe, PositionEncoding};
/// let expe = Expe::<f32>::new(16.0, 1.0 / 16.0, 8)?;
/// let progression = expe.progression(0);
/// assert_eq!(progression.step.reduced(), Dyadic { mantissa: 1, exponent: -4 });
/// let sixth = progression.value(6).map(Dyadic::reduced);
/// assert_eq!(sixth, Some(Dyadic { mantissa: 131, exponent: -3 })); // 16.375
/// # Ok::<(), expe_core::position::PositionError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progression {
    /// The value of digit 0.
    pub start: Dyadic,
    /// The difference of the values of consecutive digits.
    pub step: Dyadic,
}

impl Default for Progression {
    /// Returns the constant progression zero.
    fn default() -> Self {
        let zero = Dyadic { mantissa: 0, exponent: 0 };
        Self { start: zero, step: zero }
    }
}

impl Progression {
    /// Returns the value of digit `a`; `None` if its mantissa at the smaller exponent does not fit in `i64`.
    pub fn value(&self, a: u32) -> Option<Dyadic> {
        let exponent = match (self.start.mantissa, self.step.mantissa) {
            (0, _) => self.step.exponent,
            (_, 0) => self.start.exponent,
            _ => self.start.exponent.min(self.step.exponent),
        };
        let step = self.step.at_exponent(exponent)?.checked_mul(i64::from(a))?;
        let mantissa = self.start.at_exponent(exponent)?.checked_add(step)?;
        Some(Dyadic { mantissa, exponent })
    }
}
