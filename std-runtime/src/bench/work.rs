//! Calculated operation counts of the matrix products of a model. A multiplication and an addition count as two
//! operations.

use expe_core::{Activation, Config};

/// Returns the number of operations of the matrix products for one token that attends to `keys` keys on average.
///
/// Counts the projections, scores and values of every layer, and with `head` also the logits. Overridden columns are
/// not counted, because they are not multiplied.
pub fn forward_flops(config: &Config, keys: f64, head: bool) -> f64 {
    let Config { vocab, width, hidden, layers, .. } = *config;
    let free = width.saturating_sub(config.override_block().width);
    let (queries, values) = (config.query_width(), config.key_width());
    let gates = if config.activation == Activation::SwiGlu { 3 } else { 2 };
    let matrices = free * (queries + values) + width * (values + queries) + gates * width * hidden;
    let layer = matrices as f64 + 2.0 * queries as f64 * keys;
    let head = if head { vocab as f64 * width as f64 } else { 0.0 };
    2.0 * (layers as f64 * layer + head)
}

/// Returns the number of operations of the matrix products in a training step over `batch` windows.
///
/// The backward pass counts as two forward passes, because each product has two derivatives. A causal query attends
/// to half of the window on average. Scores that the backward pass recomputes are not counted.
pub fn step_flops(config: &Config, batch: usize) -> f64 {
    let keys = (config.context as f64 + 1.0) / 2.0;
    3.0 * (batch * config.context) as f64 * forward_flops(config, keys, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{position, preset};

    #[test]
    fn counts_match_a_manual_count() {
        let mut config = preset("quick").unwrap().model; // 48 wide, 2 layers, 2 heads, hidden 192
        config.position = position("none", 48).unwrap();
        let layer = 4.0 * 48.0 * 48.0 + 2.0 * 48.0 * 192.0 + 2.0 * 48.0 * 10.0;
        assert_eq!(forward_flops(&config, 10.0, false), 2.0 * 2.0 * layer);
        assert_eq!(forward_flops(&config, 10.0, true), 2.0 * (2.0 * layer + 256.0 * 48.0));
        // Three columns of two square projections are not multiplied.
        let mut folded = config;
        folded.position = position("expe", 48).unwrap();
        let saved = forward_flops(&config, 10.0, false) - forward_flops(&folded, 10.0, false);
        assert_eq!(saved, 2.0 * 2.0 * (2.0 * 3.0 * 48.0));
        let tokens = 4.0 * 32.0;
        assert_eq!(step_flops(&config, 4), 3.0 * tokens * forward_flops(&config, 16.5, true));
    }
}
