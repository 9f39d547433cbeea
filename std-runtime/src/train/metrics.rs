use std::fmt::Write;

use super::Progress;

/// The lines of `metrics.csv`, one per step: no times in it, so that a run that was resumed has the
/// same file as one that was not. The gradient's norm is `inf` or `NaN` where mixed precision skipped a step.
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
    /// The lines of `text` up to `step`, as a checkpoint of that step needs them; a file that was cut
    /// short or is not there gives what is left of it.
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

    /// Add the line of a step.
    pub fn push(&mut self, progress: &Progress) {
        let Progress { step, learning_rate, loss, gradient_norm, validation, .. } = progress;
        let validation = validation.map(|loss| loss.to_string()).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{step},{learning_rate},{loss},{gradient_norm},{validation}");
    }

    /// The text of the file.
    pub fn text(&self) -> &str {
        &self.text
    }
}
