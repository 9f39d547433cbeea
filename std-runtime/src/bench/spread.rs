use serde::Serialize;

/// Median and quartiles of measurements.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The lower quartile.
    pub low: f64,
    /// The upper quartile.
    pub high: f64,
}

impl Spread {
    /// Computes the spread of `values`, or NaN if there are none.
    ///
    /// ```
    /// use expe::bench::Spread;
    /// let spread = Spread::new(&[4.0, 1.0, 2.0, 3.0, 9.0]);
    /// assert_eq!(spread, Spread { median: 3.0, low: 2.0, high: 4.0 });
    /// ```
    pub fn new(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        // Interpolates linearly between the two nearest values.
        let quantile = |share: f64| {
            let place = share * sorted.len().saturating_sub(1) as f64;
            let at = |index: f64| sorted.get(index as usize).copied().unwrap_or(f64::NAN);
            let (below, above) = (at(place.floor()), at(place.ceil()));
            below + (above - below) * place.fract()
        };
        Self { median: quantile(0.5), low: quantile(0.25), high: quantile(0.75) }
    }

    /// Computes the spread of `numerators[i] / denominators[i]`, the ratios of two candidates in the same round.
    pub fn from_ratios(numerators: &[f64], denominators: &[f64]) -> Self {
        let ratios: Vec<f64> = numerators.iter().zip(denominators).map(|(a, b)| a / b).collect();
        Self::new(&ratios)
    }

    /// Multiplies every measurement by `factor`, which must be positive.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { median: self.median * factor, low: self.low * factor, high: self.high * factor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_interpolated() {
        // Places 0.75, 1.5 and 2.25 of 0..=3.
        let spread = Spread::new(&[10.0, 40.0, 20.0, 30.0]);
        assert_eq!(spread, Spread { median: 25.0, low: 17.5, high: 32.5 });
        assert_eq!(Spread::new(&[7.0]), Spread { median: 7.0, low: 7.0, high: 7.0 });
        assert!(Spread::new(&[]).median.is_nan());
    }

    #[test]
    fn ratios_are_computed_within_rounds() {
        // The machine was three times slower in the second round, which does not change the ratios.
        let spread = Spread::from_ratios(&[2.0, 6.0, 2.0], &[1.0, 3.0, 1.0]);
        assert_eq!(spread, Spread { median: 2.0, low: 2.0, high: 2.0 });
    }
}
