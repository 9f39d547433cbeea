use std::time::Duration;

use expe_core::internals::layout;

use super::Plan;
use crate::data::Corpus;
use crate::report::bytes;

/// Describes a comparison on `corpus` that took `time`, as pairs of name and value for
/// [`Page::run`](crate::report::Page).
pub fn facts(plan: &Plan, corpus: &Corpus, time: Duration) -> Vec<(String, String)> {
    let (model, train) = (&plan.base.model, &plan.base.train);
    let parameters: usize = layout(model).map(|tensor| tensor.rows * tensor.columns).sum();
    let seen = train.steps as usize * train.batch * train.accumulate * model.context;
    let facts = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("text", format!("{} in {} files", bytes(corpus.bytes()), corpus.documents().len())),
        (
            "model",
            format!(
                "{} layers, width {}, {} heads, vocabulary {}, about {parameters} parameters",
                model.layers, model.width, model.heads, model.vocab
            ),
        ),
        (
            "training",
            format!(
                "{} steps of {} windows of {} tokens ({seen} tokens) per model, {} seed(s)",
                train.steps,
                train.batch * train.accumulate,
                model.context,
                plan.seeds
            ),
        ),
        ("device", plan.device.to_string()),
        ("measured on", format!("at most {} held-out tokens per length", plan.lengths.tokens())),
        ("time", format!("{:.0} s, excluding work finished earlier", time.as_secs_f64())),
    ];
    facts.map(|(name, value)| (name.to_owned(), value)).into()
}
