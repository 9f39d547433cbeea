use crate::config::TrainConfig;

/// Returns the learning rate of step `step`, counted from 0: it rises linearly to `learning_rate` over
/// `warmup` steps, then falls along half a cosine to `final_learning_rate` at the last step.
///
/// ```
/// use expe::{config::TrainConfig, train::learning_rate};
/// let config = TrainConfig { warmup: 10, ..TrainConfig::new(101, 1, 2e-3) };
/// assert_eq!(learning_rate(&config, 4), 1e-3);
/// assert_eq!(learning_rate(&config, 10), 2e-3);
/// assert!((learning_rate(&config, 100) - 2e-4).abs() < 1e-18);
/// ```
pub fn learning_rate(config: &TrainConfig, step: u64) -> f64 {
    let TrainConfig { learning_rate: peak, final_learning_rate: end, warmup, steps, .. } = *config;
    if step < warmup {
        return peak * (step + 1) as f64 / warmup as f64;
    }
    let last = steps.saturating_sub(warmup + 1).max(1);
    let progress = ((step - warmup) as f64 / last as f64).min(1.0);
    end + (peak - end) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
}
