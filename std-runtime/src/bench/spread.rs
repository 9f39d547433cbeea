use serde::Serialize;

/// The median of some measurements, and their quartiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Half of the measurements are below.
    pub median: f64,
    /// A quarter is below.
    pub low: f64,
    /// A quarter is above.
    pub high: f64,
}

impl Spread {
    /// Of these measurements; not-a-number of none.
    ///
    /// ```
    /// use expe::bench::Spread;
    /// let spread = Spread::of(&[4.0, 1.0, 2.0, 3.0, 9.0]);
    /// assert_eq!(spread, Spread { median: 3.0, low: 2.0, high: 4.0 });
    /// ```
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        // Between the two nearest, as most statistics programs do.
        let quantile = |share: f64| {
            let place = share * sorted.len().saturating_sub(1) as f64;
            let at = |index: f64| sorted.get(index as usize).copied().unwrap_or(f64::NAN);
            let (below, above) = (at(place.floor()), at(place.ceil()));
            below + (above - below) * place.fract()
        };
        Self { median: quantile(0.5), low: quantile(0.25), high: quantile(0.75) }
    }

    /// Of `above[i] / below[i]`: what two candidates did in the same round.
    pub fn of_ratios(above: &[f64], below: &[f64]) -> Self {
        let ratios: Vec<f64> = above.iter().zip(below).map(|(a, b)| a / b).collect();
        Self::of(&ratios)
    }

    /// Every measurement multiplied by `factor`, which is positive.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self { median: self.median * factor, low: self.low * factor, high: self.high * factor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_by_hand() {
        // Places 0.75, 1.5 and 2.25 of 0..=3.
        let spread = Spread::of(&[10.0, 40.0, 20.0, 30.0]);
        assert_eq!(spread, Spread { median: 25.0, low: 17.5, high: 32.5 });
        assert_eq!(Spread::of(&[7.0]), Spread { median: 7.0, low: 7.0, high: 7.0 });
        assert!(Spread::of(&[]).median.is_nan());
    }

    #[test]
    fn ratios_are_taken_in_pairs() {
        // The machine was three times slower in the second round; the pairs do not care.
        let spread = Spread::of_ratios(&[2.0, 6.0, 2.0], &[1.0, 3.0, 1.0]);
        assert_eq!(spread, Spread { median: 2.0, low: 2.0, high: 2.0 });
    }
}
