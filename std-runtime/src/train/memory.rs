use expe_core::{Activation, Config};

use super::{BatchDevice, TrainError};
use crate::config::RunConfig;

/// How a device uses memory during training.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Number of copies of all parameters ([`BatchDevice::COPIES`]).
    pub copies: usize,
    /// Number of shards that a batch is divided into.
    pub shards: usize,
    /// Maximum number of shards that are processed at the same time.
    pub threads: usize,
}

impl Usage {
    /// Returns the usage of `D` with the current number of threads.
    pub fn for_device<D: BatchDevice>() -> Self {
        let threads = rayon::current_num_threads();
        Self { copies: D::COPIES, shards: D::SHARDS, threads: threads.min(D::SHARDS) }
    }

    /// Checks that training can fit into `available` bytes, so that a configuration with a size that is wrong by
    /// orders of magnitude does not exhaust the memory of the machine.
    ///
    /// # Errors
    /// [`TrainError::Memory`] when training needs more.
    pub fn check(self, config: &RunConfig, available: u64) -> Result<(), TrainError> {
        let needed = self.needed(config, config.train.batch);
        if needed <= u128::from(available) {
            return Ok(());
        }
        let fits = self.largest_batch(config, available);
        Err(TrainError::Memory { needed: needed >> 20, available: available >> 20, fits })
    }

    /// Returns the largest batch, up to that of `config`, whose memory estimate does not exceed `available`
    /// bytes, or `None` if there is none.
    pub fn largest_batch(self, config: &RunConfig, available: u64) -> Option<usize> {
        let fits = |batch: usize| self.needed(config, batch) <= u128::from(available);
        // Bisection is valid because the estimate grows with the batch.
        let (mut below, mut above) = (0, config.train.batch.saturating_add(1));
        while above - below > 1 {
            let middle = below + (above - below) / 2;
            if fits(middle) { below = middle } else { above = middle }
        }
        Some(below).filter(|batch| *batch > 0)
    }

    /// Returns a lower bound of the memory in bytes that training needs with `batch` windows per pass.
    pub fn needed(self, config: &RunConfig, batch: usize) -> u128 {
        let model = &config.model;
        let windows = batch.div_ceil(self.shards.max(1));
        let tokens = product(&[windows, self.threads.max(1), model.context]);
        // Each shard has its own gradients.
        let copies = self.copies as u128 + self.shards as u128;
        let elements = parameters(model)
            .saturating_mul(copies)
            .saturating_add(activations(model).saturating_mul(tokens));
        elements.saturating_mul(size_of::<f32>() as u128)
    }
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
    let table = if model.position.needs_table() { model.context } else { 0 };
    sum(&[
        product(&[heads, vocab, width]),
        product(&[table, width]),
        layer.saturating_mul(layers as u128),
    ])
}

/// Returns a lower bound of the number of elements that a forward and backward pass keep per token.
///
/// Counts the intermediate results that the backward pass needs: for each width, the number of operations in a
/// layer and in the head with results of that width. Logits and attention scores are not counted, because they
/// exist for only a few rows at a time; gradients of activations are not counted either.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::preset;
    use crate::device::Cpu;
    use crate::model::Transformer;

    #[test]
    fn all_parameters_except_norms_are_counted() {
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
    fn ordinary_configurations_fit_and_absurd_ones_do_not() {
        let ordinary = preset("context-64").unwrap();
        let usage = Usage { copies: 4, shards: 4, threads: 1 };
        let needed = |config: &RunConfig| usage.needed(config, config.train.batch);
        assert!(needed(&ordinary) < 68_000_000);
        for change in [
            |config: &mut RunConfig| config.train.batch = 1_000_000,
            |config: &mut RunConfig| config.model.hidden = 1 << 24,
            |config: &mut RunConfig| config.model.vocab = 1 << 24,
            |config: &mut RunConfig| config.model.context = 1 << 20,
            |config: &mut RunConfig| config.model.layers = 1 << 24,
        ] {
            let mut config = ordinary.clone();
            change(&mut config);
            assert!(needed(&config) > 20 << 30, "{}", needed(&config) >> 20);
        }
        let mut largest = ordinary;
        let model = &mut largest.model;
        for size in [&mut model.vocab, &mut model.width, &mut model.hidden, &mut model.context] {
            *size = usize::MAX;
        }
        assert!(needed(&largest) > 1 << 100);
        let refused = usage.check(&largest, u64::MAX);
        assert!(matches!(refused, Err(TrainError::Memory { fits: None, .. })));
    }

    #[test]
    fn largest_batch_fits_and_one_more_window_does_not() {
        let mut config = preset("context-64").unwrap();
        config.train.batch = 1000;
        for usage in
            [Usage { copies: 4, shards: 4, threads: 2 }, Usage { copies: 3, shards: 1, threads: 1 }]
        {
            let all = usage.needed(&config, 1000) as u64;
            usage.check(&config, all).unwrap();
            assert_eq!(usage.largest_batch(&config, u64::MAX), Some(1000));
            for available in [all - 1, all / 2, all / 5] {
                let Err(TrainError::Memory { fits: Some(batch), .. }) =
                    usage.check(&config, available)
                else {
                    panic!("a batch of 1000 must not fit, and a smaller one must");
                };
                assert!(usage.needed(&config, batch) <= u128::from(available));
                assert!(usage.needed(&config, batch + 1) > u128::from(available));
            }
            let little = usage.needed(&config, 1) as u64 - 1;
            assert_eq!(usage.largest_batch(&config, little), None);
        }
    }
}
