use super::{EvalError, Scorer};
use crate::data::{consecutive_windows, windows_with_common_ends};
use crate::report::Row;

/// Which lengths to measure, and on how much text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lengths {
    context: usize,
    factors: Vec<usize>,
    tokens: usize,
}

impl Lengths {
    /// Selects the lengths `factors` times the training length `context`, measured on at most `tokens` tokens of
    /// text (but at least one window of the longest length).
    ///
    /// # Errors
    /// [`EvalError::NoLength`] for no factors, a factor of 0, or a `context` of 0.
    pub fn new(context: usize, factors: &[usize], tokens: usize) -> Result<Self, EvalError> {
        let mut factors = factors.to_vec();
        factors.sort_unstable();
        factors.dedup();
        let fits = |factor: &usize| *factor > 0 && factor.checked_mul(context).is_some();
        if context == 0 || factors.is_empty() || !factors.iter().all(fits) {
            return Err(EvalError::NoLength);
        }
        Ok(Self { context, factors, tokens })
    }

    /// Returns the factors in increasing order.
    pub fn factors(&self) -> &[usize] {
        &self.factors
    }

    /// Returns the training length `L`.
    pub const fn context(&self) -> usize {
        self.context
    }

    /// Returns the longest length `M`.
    pub fn longest(&self) -> usize {
        self.context * self.factors.last().copied().unwrap_or(1)
    }

    /// Returns the maximum number of tokens to measure on.
    pub const fn tokens(&self) -> usize {
        self.tokens
    }

    /// Returns the number of tokens to predict at every length, given a text of `available` tokens: a multiple of
    /// the longest length.
    fn span(&self, available: usize) -> usize {
        let longest = self.longest();
        let windows = (self.tokens.min(available.saturating_sub(1)) / longest).max(1);
        windows * longest
    }
}

/// The perplexities at one length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Perplexity over all positions.
    pub all: f64,
    /// Perplexity over the last `L` positions.
    pub last: f64,
    /// Number of tokens that `all` is the mean over; the same at every length.
    pub tokens: u64,
}

/// Measures the perplexity over windows of `factor` times the training length, as described in the
/// [module](super). Returns `None` if the position encoding does not support that length.
///
/// `text` should be text that the model was not trained on.
///
/// # Errors
/// [`EvalError::Data`] for a text shorter than one window of the longest length, and the errors of the scorer.
///
/// ```
/// use expe::eval::{EvalError, Lengths, Scorer, perplexity};
/// /// Gives each of 16 tokens the same probability.
/// struct Uniform;
/// impl Scorer for Uniform {
///     fn supported_length(&self) -> Result<u64, EvalError> {
///         Ok(64)
///     }
///     fn score(&self, windows: &[&[u32]]) -> Result<Vec<f64>, EvalError> {
///         Ok(windows.iter().flat_map(|w| vec![-(16f64.ln()); w.len() - 1]).collect())
///     }
/// }
/// let lengths = Lengths::new(32, &[1, 2, 4], 1000)?;
/// let measured = perplexity(&Uniform, &[0; 600], &lengths, 2)?.unwrap();
/// assert!((measured.all - 16.0).abs() < 1e-9 && (measured.last - 16.0).abs() < 1e-9);
/// // Four whole windows of 128 tokens.
/// assert_eq!(measured.tokens, 512);
/// assert_eq!(perplexity(&Uniform, &[0; 600], &lengths, 4)?, None);
/// # Ok::<(), EvalError>(())
/// ```
pub fn perplexity(
    scorer: &impl Scorer,
    text: &[u32],
    lengths: &Lengths,
    factor: usize,
) -> Result<Option<Measured>, EvalError> {
    let (context, longest) = (lengths.context, lengths.longest());
    let length = context.saturating_mul(factor);
    // A text that is too short for the longest length is an error at every length.
    consecutive_windows(text, longest).map(drop)?;
    let text = &text[..=lengths.span(text.len())];
    if length as u64 > scorer.supported_length()? {
        return Ok(None);
    }
    let all: Vec<&[u32]> = consecutive_windows(text, length)?.collect();
    let scores = scorer.score(&all)?;
    let last = if length == longest {
        last_of_each(&scores, length, context)
    } else {
        let ends: Vec<&[u32]> = windows_with_common_ends(text, length, longest)?.collect();
        last_of_each(&scorer.score(&ends)?, length, context)
    };
    Ok(Some(Measured {
        all: perplexity_of(&scores),
        last: perplexity_of(&last),
        tokens: scores.len() as u64,
    }))
}

/// Creates the report row of a model called `position`. If `measured` is `None`, its perplexities are NaN.
pub fn row(
    position: &str,
    seed: u64,
    lengths: &Lengths,
    factor: usize,
    measured: Option<Measured>,
) -> Row {
    let none = Measured { all: f64::NAN, last: f64::NAN, tokens: 0 };
    let Measured { all, last, tokens } = measured.unwrap_or(none);
    Row {
        position: position.to_owned(),
        seed,
        length: lengths.context.saturating_mul(factor),
        factor: factor as f64,
        perplexity: all,
        perplexity_last: last,
        tokens,
    }
}

/// Returns the last `context` scores of every window of `length`.
fn last_of_each(scores: &[f64], length: usize, context: usize) -> Vec<f64> {
    scores.chunks(length).flat_map(|window| &window[length - context..]).copied().collect()
}

fn perplexity_of(scores: &[f64]) -> f64 {
    (-scores.iter().sum::<f64>() / scores.len().max(1) as f64).exp()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Records the windows that it scores. Token `t` after `c` tokens has the log-probability `−1e-4·t·c`.
    #[derive(Default)]
    struct Spy(RefCell<Vec<Vec<u32>>>);

    impl Scorer for Spy {
        fn supported_length(&self) -> Result<u64, EvalError> {
            Ok(u64::MAX)
        }

        fn score(&self, windows: &[&[u32]]) -> Result<Vec<f64>, EvalError> {
            self.0.borrow_mut().extend(windows.iter().map(|window| window.to_vec()));
            let one = |window: &&[u32]| {
                let targets = window[1..].iter().enumerate();
                targets.map(|(c, t)| -f64::from(*t) * c as f64 * 1e-4).collect::<Vec<_>>()
            };
            Ok(windows.iter().flat_map(one).collect())
        }
    }

    #[test]
    fn the_same_tokens_are_predicted_at_every_length() {
        let text: Vec<u32> = (0..60).collect();
        let lengths = Lengths::new(4, &[4, 1, 2, 2], 1000).unwrap();
        assert_eq!((lengths.factors(), lengths.longest()), ([1, 2, 4].as_slice(), 16));
        for factor in [1, 2, 4] {
            let spy = Spy::default();
            let measured = perplexity(&spy, &text, &lengths, factor).unwrap().unwrap();
            assert_eq!(measured.tokens, 48);
            let length = 4 * factor;
            let context = |t: usize| (t - 1) % length;
            let expected = (1..=48).map(|t| (t * context(t)) as f64 * 1e-4).sum::<f64>() / 48.0;
            assert!((measured.all.ln() - expected).abs() < 1e-12);
            // The last four tokens of the windows that end at 16, 32 and 48, each after length − 4 to
            // length − 1 preceding tokens.
            let ends = [16, 32, 48].into_iter().flat_map(|end| (0..4).map(move |i| (end, i)));
            let expected = ends.map(|(end, i)| ((end - i) * (length - 1 - i)) as f64 * 1e-4);
            let expected = expected.sum::<f64>() / 12.0;
            assert!((measured.last.ln() - expected).abs() < 1e-12, "{factor}");
            assert!(spy.0.borrow().iter().all(|window| window.len() == length + 1));
        }
    }

    #[test]
    fn too_little_text_is_an_error() {
        let lengths = Lengths::new(4, &[1, 4], 8).unwrap();
        assert!(matches!(
            perplexity(&Spy::default(), &[0; 16], &lengths, 1),
            Err(EvalError::Data(_))
        ));
        assert!(perplexity(&Spy::default(), &[0; 17], &lengths, 1).is_ok());
        assert!(Lengths::new(4, &[], 8).is_err());
        assert!(Lengths::new(4, &[0], 8).is_err());
        assert!(Lengths::new(0, &[1], 8).is_err());
    }
}
