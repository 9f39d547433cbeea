//! Errors of reports.

/// Why a report cannot be drawn or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// There is no finite perplexity to draw.
    #[error("no finite perplexity was measured, so there is nothing to plot")]
    NothingToPlot,
    /// The drawing library failed.
    #[error("cannot draw the plot: {0}")]
    Drawing(String),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] std::io::Error),
}
