use std::fmt::Write;

use super::Progress;

/// The lines of `metrics.csv`, one per step. They contain no times, so that a resumed run ends with the same
/// file as an uninterrupted one. The gradient norm is `inf` or `NaN` where mixed precision skipped a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    text: String,
}

const HEADER: &str = "step,learning_rate,loss,gradient_norm,validation_loss\n";

impl Default for Metrics {
    fn default() -> Self {
        Self { text: HEADER.to_string() }
    }
}

impl Metrics {
    /// Keeps the complete lines of `text` up to `step`, the step of a checkpoint. Lines that are missing from
    /// a truncated file are ignored.
    pub fn up_to(text: &str, step: u64) -> Self {
        let mut metrics = Self::default();
        let complete = text.rfind('\n').map_or("", |end| &text[..=end]);
        for line in complete.lines().skip(1) {
            let number = line.split(',').next().and_then(|first| first.parse::<u64>().ok());
            if number.is_some_and(|number| number <= step) {
                metrics.text.push_str(line);
                metrics.text.push('\n');
            }
        }
        metrics
    }

    /// Appends the line of a step.
    pub fn push(&mut self, progress: &Progress) {
        let Progress { step, learning_rate, loss, gradient_norm, validation, .. } = progress;
        let validation = validation.map(|loss| loss.to_string()).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{step},{learning_rate},{loss},{gradient_norm},{validation}");
    }

    /// Returns the text of the file.
    pub fn text(&self) -> &str {
        &self.text
    }
}
