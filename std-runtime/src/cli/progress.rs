//! Progress on standard error: bars on a terminal, plain lines in a pipe.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Interval at which a task prints its progress to a pipe.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows the progress of the tasks of a command.
#[derive(Debug, Clone)]
pub struct Progress {
    bars: Option<MultiProgress>,
}

impl Progress {
    /// Creates bars if standard error is a terminal; otherwise progress is printed as lines.
    pub fn new() -> Self {
        Self { bars: std::io::stderr().is_terminal().then(MultiProgress::new) }
    }

    /// Prints a line above the bars.
    pub fn say(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Starts a task of `total` steps.
    pub fn task(&self, label: &str, total: u64) -> Task {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new(total));
            let style = "{prefix:<24} [{bar:30}] {pos:>6}/{len} {msg} {eta:>5} left";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
            }
            bar.set_prefix(label.to_owned());
            bar
        });
        Task { label: label.to_owned(), total, bar, said: Instant::now() }
    }
}

/// The progress of one task.
#[derive(Debug)]
pub struct Task {
    label: String,
    total: u64,
    bar: Option<ProgressBar>,
    said: Instant,
}

impl Task {
    /// Reports that `step` steps are done; `message` describes the state.
    pub fn update(&mut self, step: u64, message: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_position(step);
            bar.set_message(message());
        } else if self.said.elapsed() >= LINE_EVERY {
            self.said = Instant::now();
            eprintln!("{}: {step}/{} {}", self.label, self.total, message());
        }
    }

    /// Ends the task; `message` remains as a line.
    pub fn finish(self, message: &str) {
        match &self.bar {
            Some(bar) => {
                bar.finish_and_clear();
                bar.suspend(|| eprintln!("{}: {message}", self.label));
            }
            None => eprintln!("{}: {message}", self.label),
        }
    }
}
