use super::{ScoreError, Scorer};

/// What to evaluate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalOptions {
    /// Training length `L`; lengths are multiples of it.
    pub context: usize,
    /// The lengths, as multiples of `context`.
    pub factors: Vec<usize>,
    /// Tokens of text to score at most, rounded down to whole blocks, at least one.
    pub limit: usize,
    /// Tokens to score at once, rounded down to whole windows, at least one.
    pub batch_tokens: usize,
}

impl EvalOptions {
    /// 1×, 2×, 4×, 8× and 16× the training length, on up to 32 768 tokens.
    pub fn new(context: usize) -> Self {
        Self { context, factors: vec![1, 2, 4, 8, 16], limit: 32_768, batch_tokens: 2_048 }
    }
}

/// The result of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct LengthRow {
    /// Multiple of the training length.
    pub factor: usize,
    /// Tokens of a window.
    pub length: usize,
    /// The figures, or why the model cannot have any at this length.
    pub figures: Result<Figures, String>,
}

/// Perplexities: `exp` of the mean of `−log p`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Over all positions.
    pub all: f64,
    /// Tokens scored for it.
    pub all_tokens: usize,
    /// Over the last `context` positions of each block.
    pub last: f64,
    /// Tokens scored for it.
    pub last_tokens: usize,
}

/// Why there is no evaluation at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// The text does not hold one block.
    #[error(
        "the text has {found} tokens, but one window of {length} needs {needed}; \
         evaluate shorter lengths or give more text"
    )]
    TooShort {
        /// Tokens of the text.
        found: usize,
        /// Tokens of a block and one more.
        needed: usize,
        /// The longest length.
        length: usize,
    },
    /// A length, the limit or the batch is 0, or there are no lengths.
    #[error("nothing to evaluate: context {context}, factors {factors:?}")]
    Nothing {
        /// Training length.
        context: usize,
        /// Multiples of it.
        factors: Vec<usize>,
    },
    /// The scorer failed.
    #[error("{0}")]
    Score(#[from] ScoreError),
}

/// Perplexity of `tokens` at each length; see the [module](super) for the layout.
///
/// `progress` is called with the tokens scored so far and those to score in all.
///
/// # Errors
/// An [`EvalError`]. A length that the model's positions do not reach is a row without figures.
pub fn perplexity(
    scorer: &mut impl Scorer,
    tokens: &[u32],
    options: &EvalOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<LengthRow>, EvalError> {
    let EvalOptions { context, ref factors, limit, batch_tokens } = *options;
    let nothing = || EvalError::Nothing { context, factors: factors.clone() };
    let longest = factors.iter().max().copied().unwrap_or(0);
    let block = longest.checked_mul(context).ok_or_else(nothing)?;
    if block == 0 || factors.contains(&0) {
        return Err(nothing());
    }
    let blocks = (tokens.len().saturating_sub(1) / block).min((limit / block).max(1));
    if blocks == 0 {
        let (found, needed) = (tokens.len(), block.saturating_add(1));
        return Err(EvalError::TooShort { found, needed, length: block });
    }
    let total: usize = factors.iter().map(|factor| blocks * (longest / factor) * factor).sum();
    let total = total * context;
    let mut done = 0;
    let mut rows = Vec::with_capacity(factors.len());
    for &factor in factors {
        let length = factor * context;
        let windows = windows(tokens, length, block, blocks);
        let mut sums = Sums::default();
        let mut refused = None;
        for batch in windows.chunks((batch_tokens / length).max(1)) {
            let inputs: Vec<&[u32]> = batch.iter().map(|window| window.tokens).collect();
            match scorer.log_probabilities(&inputs) {
                Ok(scores) => sums.add(batch, &scores, length, context),
                Err(ScoreError::Length(reason)) => {
                    refused = Some(reason);
                    break;
                }
                Err(error) => return Err(error.into()),
            }
            done += batch.len() * length;
            progress(done, total);
        }
        rows.push(LengthRow { factor, length, figures: refused.map_or(Ok(sums.figures()), Err) });
    }
    Ok(rows)
}

/// A window of `length + 1` tokens.
struct Window<'a> {
    tokens: &'a [u32],
    /// Whether it stands at the end of a block.
    last: bool,
}

/// The windows of all blocks, each block's from its end backwards; block `i` predicts the tokens
/// `i·block + 1 ..= (i + 1)·block`.
fn windows(tokens: &[u32], length: usize, block: usize, blocks: usize) -> Vec<Window<'_>> {
    let window = |index: usize, back: usize| {
        let end = (index + 1) * block - back * length;
        let tokens = tokens.get(end - length..=end).unwrap_or_default();
        Window { tokens, last: back == 0 }
    };
    (0..blocks).flat_map(|index| (0..block / length).map(move |back| window(index, back))).collect()
}

#[derive(Default)]
struct Sums {
    all: f64,
    all_tokens: usize,
    last: f64,
    last_tokens: usize,
}

impl Sums {
    fn add(&mut self, windows: &[Window<'_>], scores: &[f32], length: usize, context: usize) {
        for (window, scores) in windows.iter().zip(scores.chunks_exact(length)) {
            self.all += scores.iter().copied().map(f64::from).sum::<f64>();
            self.all_tokens += length;
            if window.last {
                let tail = scores.iter().rev().take(context);
                self.last += tail.copied().map(f64::from).sum::<f64>();
                self.last_tokens += context;
            }
        }
    }

    fn figures(&self) -> Figures {
        let perplexity = |sum: f64, count: usize| (-sum / count as f64).exp();
        Figures {
            all: perplexity(self.all, self.all_tokens),
            all_tokens: self.all_tokens,
            last: perplexity(self.last, self.last_tokens),
            last_tokens: self.last_tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Knows token `t` with probability `1/(2 + tokens before it in the window)`, and reaches `reach`
    /// positions; remembers which tokens it scored.
    struct Counting {
        reach: usize,
        seen: Vec<(usize, u32)>,
    }

    impl Scorer for Counting {
        fn log_probabilities(&mut self, windows: &[&[u32]]) -> Result<Vec<f32>, ScoreError> {
            let length = windows[0].len() - 1;
            if length > self.reach {
                return Err(ScoreError::Length(format!("{length} > {}", self.reach)));
            }
            let mut scores = Vec::new();
            for window in windows {
                for (before, token) in window[1..].iter().enumerate() {
                    self.seen.push((length, *token));
                    scores.push(-((before + 2) as f32).ln());
                }
            }
            Ok(scores)
        }
    }

    #[test]
    fn every_length_scores_the_same_text_and_only_context_grows() {
        let tokens: Vec<u32> = (0..100).collect();
        let options =
            EvalOptions { context: 4, factors: vec![1, 2, 8], limit: 64, batch_tokens: 10 };
        let mut scorer = Counting { reach: 1_000, seen: Vec::new() };
        let mut last = (0, 0);
        let rows = perplexity(&mut scorer, &tokens, &options, &mut |done, all| last = (done, all))
            .unwrap();
        assert_eq!(last, (192, 192));
        for row in &rows {
            let mut seen: Vec<u32> = scorer
                .seen
                .iter()
                .filter(|(length, _)| *length == row.length)
                .map(|(_, token)| *token)
                .collect();
            seen.sort_unstable();
            assert_eq!(seen, (1..=64).collect::<Vec<u32>>(), "{}", row.length);
            let figures = row.figures.clone().unwrap();
            assert_eq!((figures.all_tokens, figures.last_tokens), (64, 8));
            // The geometric mean of `before + 2` over the positions that are counted; the scores
            // are rounded to f32, 2^-24 relative each.
            let mean = |from: usize| {
                let logs: f64 = (from..row.length).map(|before| ((before + 2) as f64).ln()).sum();
                (logs / (row.length - from) as f64).exp()
            };
            assert!((figures.all / mean(0) - 1.0).abs() < 1e-6);
            assert!((figures.last / mean(row.length - 4) - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn lengths_out_of_reach_are_rows_without_figures() {
        let tokens = [1; 40];
        let options = EvalOptions { context: 4, factors: vec![8, 1], limit: 0, batch_tokens: 0 };
        let mut scorer = Counting { reach: 4, seen: Vec::new() };
        let rows = perplexity(&mut scorer, &tokens, &options, &mut |_, _| ()).unwrap();
        assert_eq!(rows[0].figures, Err("32 > 4".to_string()));
        assert_eq!(rows[1].figures.clone().unwrap().all_tokens, 32);
    }

    #[test]
    fn a_length_that_does_not_divide_the_block_leaves_out_its_beginning() {
        let tokens: Vec<u32> = (0..9).collect();
        let options = EvalOptions { context: 1, factors: vec![3, 8], limit: 8, batch_tokens: 9 };
        let mut scorer = Counting { reach: 8, seen: Vec::new() };
        perplexity(&mut scorer, &tokens, &options, &mut |_, _| ()).unwrap();
        let threes: Vec<u32> = scorer
            .seen
            .iter()
            .filter(|(length, _)| *length == 3)
            .map(|(_, token)| *token)
            .collect();
        assert_eq!(threes, [6, 7, 8, 3, 4, 5]);
    }

    #[test]
    fn what_cannot_be_evaluated_is_an_error() {
        let mut scorer = Counting { reach: 8, seen: Vec::new() };
        let mut run = |tokens: &[u32], context, factors: &[usize]| {
            let options =
                EvalOptions { context, factors: factors.to_vec(), limit: 8, batch_tokens: 8 };
            perplexity(&mut scorer, tokens, &options, &mut |_, _| ())
        };
        assert!(matches!(
            run(&[0; 8], 4, &[2]),
            Err(EvalError::TooShort { found: 8, needed: 9, length: 8 })
        ));
        for (context, factors) in [(0, &[1][..]), (4, &[]), (4, &[0, 1]), (usize::MAX, &[2])] {
            assert!(matches!(run(&[0; 8], context, factors), Err(EvalError::Nothing { .. })));
        }
    }
}
