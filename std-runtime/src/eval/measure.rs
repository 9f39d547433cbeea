use std::ops::ControlFlow;

use super::{CoreScorer, DfdxScorer, EvalError, Lengths, Scorer, perplexity, row};
use crate::config::amend;
use crate::data::{Corpus, Dataset, Tokenizer};
use crate::engine::{CacheType, ModelFile};
use crate::ops::Backend;
use crate::report::Row;
use crate::train::TrainedModel;

/// The part of a corpus to measure on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TextPart {
    /// The text that training holds out.
    #[default]
    HeldOut,
    /// All of it, for a corpus that the model was not trained on.
    Whole,
}

/// What to measure, and how.
#[derive(Debug, Clone, Copy)]
pub struct EvalOptions<'a> {
    /// Lengths, in multiples of the training length.
    pub factors: &'a [usize],
    /// Maximum number of tokens to predict at each length; at least one window of the longest length is always
    /// predicted.
    pub tokens: usize,
    /// The part of the corpus.
    pub part: TextPart,
    /// Changes of the position encoding, such as `query_cap=last`; see
    /// [`PositionSpec`](crate::config::PositionSpec).
    pub position: Option<&'a str>,
    /// Element type of the key-value cache, for a model file; [`CacheType::default_for`] the model if `None`.
    pub cache: Option<CacheType>,
}

impl Default for EvalOptions<'_> {
    /// 1 to 16 times the training length, on 32 768 held-out tokens.
    fn default() -> Self {
        let (factors, part) = (&[1, 2, 4, 8, 16], TextPart::HeldOut);
        Self { factors, tokens: 32_768, part, position: None, cache: None }
    }
}

/// Measures the perplexity of a trained model with dfdx, on the device of the model.
///
/// Returns one row per length, in increasing order. `on_row` receives each row as soon as it is measured, and
/// returns [`ControlFlow::Break`] to stop.
///
/// # Errors
/// [`EvalError`] for position settings that do not fit the model, a text shorter than one window of the
/// longest length, and failures of the device.
pub fn evaluate<D: Backend>(
    trained: &TrainedModel<D>,
    corpus: &Corpus,
    options: &EvalOptions<'_>,
    on_row: impl FnMut(&Row) -> ControlFlow<()>,
) -> Result<Vec<Row>, EvalError> {
    let model = &trained.config.model;
    let position = match options.position {
        Some(settings) => amend(model.position, settings, model.context)?,
        None => model.position,
    };
    let text = text(corpus, &trained.tokenizer, options.part)?;
    let lengths = Lengths::new(model.context, options.factors, options.tokens)?;
    let scorer = DfdxScorer::new(&trained.model, &position);
    measure(&scorer, (position.name(), trained.config.train.seed), &text, &lengths, on_row)
}

/// Measures the perplexity of a model file with the core engine, on all processors.
///
/// Otherwise the same as [`evaluate`]. The seed in the rows is 0, because the file does not contain it.
///
/// # Errors
/// Same as [`evaluate`], and [`EvalError::Engine`] for a cache type that the model does not support.
pub fn evaluate_file(
    file: &ModelFile,
    corpus: &Corpus,
    options: &EvalOptions<'_>,
    on_row: impl FnMut(&Row) -> ControlFlow<()>,
) -> Result<Vec<Row>, EvalError> {
    let model = file.model()?;
    let config = model.config();
    let position = match options.position {
        Some(settings) => amend(config.position, settings, config.context)?,
        None => config.position,
    };
    let text = text(corpus, &Tokenizer::from_core(model.tokenizer())?, options.part)?;
    let lengths = Lengths::new(config.context, options.factors, options.tokens)?;
    let cache = options.cache.unwrap_or(CacheType::default_for(&model));
    let scorer = CoreScorer::new(&model, &position).with_cache(cache);
    measure(&scorer, (position.name(), 0), &text, &lengths, on_row)
}

fn text(corpus: &Corpus, tokenizer: &Tokenizer, part: TextPart) -> Result<Vec<u32>, EvalError> {
    let data = Dataset::encode(corpus, tokenizer)?;
    Ok(match part {
        TextPart::HeldOut => data.validation().to_vec(),
        TextPart::Whole => data.into_whole(),
    })
}

fn measure(
    scorer: &impl Scorer,
    (position, seed): (&str, u64),
    text: &[u32],
    lengths: &Lengths,
    mut on_row: impl FnMut(&Row) -> ControlFlow<()>,
) -> Result<Vec<Row>, EvalError> {
    let mut rows = Vec::new();
    for factor in lengths.factors() {
        let measured = perplexity(scorer, text, lengths, *factor)?;
        let row = row(position, seed, lengths, *factor, measured);
        let next = on_row(&row);
        rows.push(row);
        if next.is_break() {
            break;
        }
    }
    Ok(rows)
}
