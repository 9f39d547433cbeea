use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use expe_core::internals::{Arithmetic, CacheRun, HeadPosition, Inputs, Past, Random, rows_mut};
use expe_core::position::{ModelDims, Position, PositionConfig, PositionEncoding};
use expe_core::{Attend, Config, F32, Float, Model};
use serde::Serialize;

use super::{BenchError, Candidate, Plan, Spread, Times, alternate, random_model};
use crate::config::RunConfig;
use crate::engine::{EngineError, ModelFile};
use crate::export::Scheme;

/// The cost of an encoding in the engine, in nanoseconds per token and layer. It is negative if the encoding saves
/// time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PositionCost {
    /// The encoding.
    pub encoding: String,
    /// Cost of applying positions to embeddings, queries and keys. Work per token is divided by the number of
    /// layers.
    pub apply: Spread,
    /// Time of query and key projections minus their time without an encoding; negative if folded columns are not
    /// multiplied. Zero for encodings that do not change projections.
    pub projections: Spread,
    /// Time of scores, softmax and values minus their time without an encoding. Zero for encodings that do not
    /// change attention.
    pub attention: Spread,
    /// The sum of the three medians.
    pub sum: f64,
    /// Ratio of `apply` to that of RoPE.
    pub apply_over_rope: f64,
    /// Ratio of `sum` to that of RoPE.
    pub sum_over_rope: f64,
}

/// An encoding, and how it is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variant {
    /// The encoding.
    pub position: PositionConfig,
    /// Whether overridden columns are written and multiplied, as in the paper, instead of folded.
    pub direct: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Apply,
    Projections,
    Attention,
}

impl Part {
    /// Returns whether the encoding changes this part and must be measured; otherwise its cost is zero. The
    /// reference without positions is always measured.
    fn is_changed_by(self, variant: &Variant) -> bool {
        let folded = variant.position.override_block().width > 0 && !variant.direct;
        match (self, variant.position) {
            (Self::Apply, _) | (_, PositionConfig::None) => true,
            (Self::Projections, _) => folded,
            (Self::Attention, position) => folded || position.has_slopes(),
        }
    }
}

/// Number of tokens in a unit of work.
const TOKENS: u32 = 64;

/// Part of the work of [`expe_core::ForwardPass`] for some tokens in all layers. Calls the same functions.
struct Work<'m> {
    part: Part,
    direct: bool,
    model: Model<'m>,
    position: Position<'m>,
    float: Float,
    /// Position of the first token, and number of preceding keys.
    past: u32,
    x: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    scratch: Vec<f32>,
    table: Vec<f32>,
    query_words: Vec<f32>,
    key_words: Vec<f32>,
    /// Keys of one head.
    keys: Vec<f32>,
    values: Vec<f32>,
    past_words: Vec<f32>,
    scores: Vec<f32>,
}

impl<'m> Work<'m> {
    fn new(part: Part, direct: bool, model: &Model<'m>, past: u32) -> Result<Self, BenchError> {
        let config = model.config();
        let position = model.position()?;
        let float = <Float as Arithmetic>::new(model).map_err(EngineError::from)?;
        let mut random = Random::new(3);
        let mut random_values =
            |count: usize| (0..count).map(|_| random.uniform() - 0.5).collect::<Vec<f32>>();
        let digits = if direct { 0 } else { config.override_block().digits };
        let count = past as usize;
        let mut past_words = vec![0.0; count * digits];
        for (n, words) in (0..).zip(rows_mut(&mut past_words, digits)) {
            float.key_words(&position, n, words)?;
        }
        Ok(Self {
            part,
            direct,
            x: random_values(config.width),
            q: random_values(config.query_width()),
            k: random_values(config.key_width()),
            scratch: vec![0.0; config.width],
            table: vec![0.0; if position.rotates() { config.head_width } else { 0 }],
            query_words: vec![0.0; digits],
            key_words: vec![0.0; digits],
            keys: random_values(count * config.head_width),
            values: random_values(count * config.head_width),
            past_words,
            scores: vec![0.0; count],
            model: *model,
            position,
            float,
            past,
        })
    }

    fn apply(&mut self, n: u32) -> Result<(), BenchError> {
        let Self { float, position, x, q, k, scratch, table, .. } = self;
        let width = table.len();
        if self.direct {
            for _ in self.model.layers() {
                // Without a query cap, both projections read the same input.
                scratch.copy_from_slice(x);
                position.override_key(n, scratch)?;
                black_box(&mut *scratch);
            }
            return Ok(());
        }
        float.embed_position(position, n, x)?;
        float.query_words(position, n, &mut self.query_words)?;
        float.key_words(position, n, &mut self.key_words)?;
        float.rotation(position, n, table)?;
        for layer in self.model.layers() {
            float.add_folded(position, &self.query_words, layer.query_folded, q);
            for row in [&mut *q, &mut *k] {
                for head in rows_mut(row, width) {
                    float.rotate(table, head);
                }
            }
            black_box((&mut *q, &mut *k));
        }
        Ok(())
    }

    fn project(&mut self) {
        let Self { float, x, q, k, .. } = self;
        let width = x.len();
        for layer in self.model.layers() {
            let inputs = Inputs::new(black_box(x), width).skip(width - layer.wq.cols());
            float.project(&layer.wq, inputs, q);
            float.project(&layer.wk, inputs, k);
            black_box((&mut *q, &mut *k));
        }
    }

    fn attend(&mut self) {
        let Self { float, position, q, scores, .. } = self;
        let config = self.model.config();
        let groups = config.heads / config.kv_heads;
        for layer in self.model.layers() {
            for (head, query) in rows_mut(q, config.head_width).enumerate() {
                let here = HeadPosition {
                    key_folded: layer.key_folded,
                    key_width: config.key_width(),
                    kv_head: head / groups,
                    slope: position.slope(head),
                };
                let run = |keys, values| CacheRun {
                    first: 0,
                    keys,
                    key_scales: &[],
                    values,
                    value_scales: &[],
                };
                let past = Past::<F32, f32> {
                    runs: [run(&self.keys, &self.values), run(&[], &[]), run(&[], &[])],
                    position_words: &self.past_words,
                };
                float.attend(position, &here, &past, query, scores, &mut []);
            }
            black_box(&mut *q);
        }
    }
}

impl Candidate for Work<'_> {
    fn run(&mut self) -> Result<Duration, BenchError> {
        let started = Instant::now();
        for n in self.past..self.past + TOKENS {
            match self.part {
                Part::Apply => self.apply(n)?,
                Part::Projections => self.project(),
                Part::Attention => self.attend(),
            }
        }
        Ok(started.elapsed())
    }
}

/// Measures the cost of each encoding in `variants`, in a model with the shape of `base` whose queries attend to
/// `keys` keys. The first variant must be the one without positions.
///
/// # Errors
/// [`BenchError`] for an encoding that does not fit the model, and when interrupted.
pub fn position_costs(
    base: &RunConfig,
    variants: &[(String, Variant)],
    keys: u32,
    plan: Plan,
    stop: &AtomicBool,
) -> Result<Vec<PositionCost>, BenchError> {
    let mut files = Vec::new();
    for (_, variant) in variants {
        let context = (keys + TOKENS) as usize;
        // The direct form needs matrices that contain the overridden columns. The layers do not depend on the
        // vocabulary.
        let position = if variant.direct { PositionConfig::None } else { variant.position };
        let config = Config { vocab: 256, context, position, ..base.model };
        files.push(random_model(&config, Scheme::F32)?);
    }
    let models = files.iter().map(ModelFile::model).collect::<Result<Vec<_>, _>>()?;
    // Many short turns, because the results are differences of small times.
    let plan = Plan { time: plan.time / 3, rounds: plan.rounds.saturating_mul(5) };
    let mut parts = Vec::new();
    for part in [Part::Apply, Part::Projections, Part::Attention] {
        let mut candidates: Vec<Box<dyn Candidate + '_>> = Vec::new();
        let mut places = vec![None; variants.len()];
        for (((_, variant), model), place) in variants.iter().zip(&models).zip(&mut places) {
            if !part.is_changed_by(variant) {
                continue;
            }
            *place = Some(candidates.len());
            let mut work = Work::new(part, variant.direct, model, keys)?;
            if variant.direct {
                let config = base.model;
                let shape = ModelDims {
                    width: config.width,
                    heads: config.heads,
                    head_width: config.head_width,
                };
                work.position = Position::new(&variant.position, shape, &[])?;
            }
            candidates.push(Box::new(work));
        }
        parts.push((alternate(&mut candidates, plan, stop)?, places));
    }
    let unit = 1e9 / (f64::from(TOKENS) * base.model.layers as f64);
    let cost = |(times, places): &(Vec<Times>, Vec<Option<usize>>), index: usize| {
        let own = places.get(index).copied().flatten().and_then(|place| times.get(place));
        let (Some(own), Some(none)) = (own, times.first()) else {
            return Spread { median: 0.0, low: 0.0, high: 0.0 };
        };
        let differences: Vec<f64> =
            own.0.iter().zip(&none.0).map(|(own, none)| (own - none) * unit).collect();
        Spread::new(&differences)
    };
    let [apply, projections, attention] = parts.as_slice() else { return Ok(Vec::new()) };
    let mut costs: Vec<PositionCost> = variants
        .iter()
        .enumerate()
        .map(|(index, (name, _))| {
            let (apply, projections, attention) =
                (cost(apply, index), cost(projections, index), cost(attention, index));
            PositionCost {
                encoding: name.clone(),
                apply,
                projections,
                attention,
                sum: apply.median + projections.median + attention.median,
                apply_over_rope: f64::NAN,
                sum_over_rope: f64::NAN,
            }
        })
        .collect();
    if let Some(rope) = costs.iter().find(|cost| cost.encoding == "rope").cloned() {
        for cost in &mut costs {
            cost.apply_over_rope = cost.apply.median / rope.apply.median;
            cost.sum_over_rope = cost.sum / rope.sum;
        }
    }
    Ok(costs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{position, preset};

    #[test]
    fn every_encoding_has_a_cost() {
        let base = preset("quick").unwrap();
        let mut variants = Vec::new();
        for name in expe_core::internals::SUPPORTED {
            let position = position(name, base.model.width).unwrap();
            variants.push((name.to_owned(), Variant { position, direct: false }));
        }
        let direct = Variant { position: position("expe", 48).unwrap(), direct: true };
        variants.push(("expe, direct".to_owned(), direct));
        let none = variants.iter().position(|(name, _)| name == "none").unwrap();
        variants.swap(0, none);
        let plan = Plan { rounds: 3, time: Duration::ZERO };
        let stop = AtomicBool::new(false);
        let costs = position_costs(&base, &variants, 32, plan, &stop).unwrap();
        assert_eq!(costs.len(), 8);
        // The difference to itself is zero.
        assert_eq!((costs[0].encoding.as_str(), costs[0].sum), ("none", 0.0));
        assert!(costs.iter().all(|cost| cost.sum.is_finite()));
        let rope = costs.iter().find(|cost| cost.encoding == "rope").unwrap();
        assert_eq!((rope.apply_over_rope, rope.sum_over_rope), (1.0, 1.0));
    }
}
