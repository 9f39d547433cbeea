use std::fmt::Write;

use super::Progress;

/// The content of `metrics.csv`: one line per step.
///
/// It contains no times, so a resumed run produces the same file as an uninterrupted one. The gradient norm of a
/// step that mixed precision skipped is `inf` or `NaN`.
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
    /// Parses `text` and keeps the complete lines up to the step `step` of a checkpoint. It is not an error if
    /// lines are missing from a truncated file.
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

    /// Appends the line for a step.
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
