use std::fs;

use expe_core::model::{Activation, Config};
use expe_core::position::PositionConfig;

use super::TrainError;
use crate::config::RunConfig;

/// Check that training fits into the memory that is free now, as far as the system tells.
///
/// # Errors
/// [`TrainError::Memory`] when it surely does not fit: a configuration with some zeros too many
/// must not bring the machine down.
pub fn check(config: &RunConfig, parts: usize, threads: usize) -> Result<(), TrainError> {
    let needed = needed(config, parts, threads.min(parts));
    match available() {
        Some(available) if needed > u128::from(available) => {
            Err(TrainError::Memory { needed: needed >> 20, available: available >> 20 })
        }
        _ => Ok(()),
    }
}

/// Bytes that training needs at least, when a batch is cut into `parts` of which `threads` are
/// worked on at a time.
fn needed(config: &RunConfig, parts: usize, threads: usize) -> u128 {
    let model = &config.model;
    let windows = config.train.batch.div_ceil(parts.max(1));
    let tokens = product(&[windows, threads.max(1), model.context]);
    // Parameters, two moments, the best parameters, and a gradient for each part.
    let copies = parts as u128 + 4;
    let numbers = parameters(model)
        .saturating_mul(copies)
        .saturating_add(activations(model).saturating_mul(tokens));
    numbers.saturating_mul(size_of::<f32>() as u128)
}

fn product(factors: &[usize]) -> u128 {
    factors.iter().fold(1, |product: u128, factor| product.saturating_mul(*factor as u128))
}

fn sum(terms: &[u128]) -> u128 {
    terms.iter().fold(0, |sum: u128, term| sum.saturating_add(*term))
}

fn parameters(model: &Config) -> u128 {
    let Config { vocab, width, hidden, layers, .. } = *model;
    let gates = if model.activation == Activation::SwiGlu { 3 } else { 2 };
    let layer = sum(&[
        product(&[2, model.query_width(), width]),
        product(&[2, model.key_width(), width]),
        product(&[gates, hidden, width]),
    ]);
    let heads = if model.tied_head { 1 } else { 2 };
    let table = if model.position == PositionConfig::Learned { model.context } else { 0 };
    sum(&[
        product(&[heads, vocab, width]),
        product(&[table, width]),
        layer.saturating_mul(layers as u128),
    ])
}

/// Numbers that a forward and a backward pass keep per token: the intermediate results that
/// derivatives need. The factors count the operations of one layer and of the head on results of
/// each size; logits and scores exist for a few rows at a time. The derivatives themselves are not
/// counted, so that this is a lower bound.
fn activations(model: &Config) -> u128 {
    let gates = if model.activation == Activation::SwiGlu { 2 } else { 1 };
    let layer = sum(&[
        product(&[4, model.width]),
        product(&[2, model.query_width()]),
        product(&[2, model.key_width()]),
        product(&[gates, model.hidden]),
    ]);
    sum(&[layer.saturating_mul(model.layers as u128), product(&[2, model.width])])
}

/// Free bytes, where the system says so (Linux).
pub fn available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::preset;
    use crate::device::Cpu;
    use crate::model::Transformer;

    #[test]
    fn parameters_are_counted_up_to_the_norms() {
        let mut model = preset("quick").unwrap().model;
        for (tied_head, activation) in [(true, Activation::Gelu), (false, Activation::SwiGlu)] {
            model = Config { tied_head, activation, kv_heads: 1, ..model };
            let weights = Transformer::<Cpu>::new(&model, &Cpu::default(), 0).unwrap().weights;
            let all: usize = weights.to_tensors().values().map(|stored| stored.values.len()).sum();
            let norms = (2 * model.layers + 1) * model.width;
            assert_eq!(parameters(&model), (all - norms) as u128);
        }
    }

    #[test]
    fn usual_configurations_fit_and_absurd_ones_do_not() {
        let usual = preset("context-64").unwrap();
        assert!(needed(&usual, 4, 1) < 68_000_000);
        for change in [
            |config: &mut RunConfig| config.train.batch = 1_000_000,
            |config: &mut RunConfig| config.model.hidden = 1 << 24,
            |config: &mut RunConfig| config.model.vocab = 1 << 24,
            |config: &mut RunConfig| config.model.context = 1 << 20,
            |config: &mut RunConfig| config.model.layers = 1 << 24,
        ] {
            let mut config = usual.clone();
            change(&mut config);
            assert!(needed(&config, 4, 1) > 20 << 30, "{}", needed(&config, 4, 1) >> 20);
        }
        let mut largest = usual;
        let model = &mut largest.model;
        for size in [&mut model.vocab, &mut model.width, &mut model.hidden, &mut model.context] {
            *size = usize::MAX;
        }
        assert!(needed(&largest, 4, 1) > 1 << 100);
        if available().is_some() {
            assert!(matches!(check(&largest, 4, 1), Err(TrainError::Memory { .. })));
        }
    }
}
