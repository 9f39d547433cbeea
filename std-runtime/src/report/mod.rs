//! Tables, plots and pages from measured rows.

mod axis;
mod bytes;
mod error;
mod html;
mod plot;
mod row;
mod style;
mod summary;
mod table;
mod write;

pub use bytes::bytes;
pub use error::ReportError;
pub use html::{Page, Sample, html_page};
pub use plot::plot_svg;
pub use row::{Figure, Row, read_json, write_json};
pub use summary::{Cell, Column, Line, Summary, number};
pub use table::{text_table, write_csv};
pub use write::{ReportFiles, write_report};

#[cfg(test)]
mod fixture {
    use super::Row;

    /// Returns a row for a training length of 64. The perplexity over the last positions is half of `perplexity`.
    pub fn row(position: &str, seed: u64, length: usize, perplexity: f64) -> Row {
        Row {
            position: position.to_owned(),
            seed,
            length,
            factor: length as f64 / 64.0,
            perplexity,
            perplexity_last: perplexity / 2.0,
            tokens: 1000,
        }
    }
}
