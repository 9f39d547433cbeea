//! Tables for terminals and for other programs.

use std::io::{self, Write};

use super::row::{Figure, Row};
use super::summary::{Summary, times};

/// Formats a table for the terminal, with one line per encoding and one column per length.
///
/// `*` marks the lowest figure of every column. For several seeds, a cell shows their mean ± half of their range.
///
/// ```
/// # use expe::report::{Figure, Row, text_table};
/// # let row = |position: &str, factor: usize, perplexity| Row { position: position.into(), seed: 0,
/// #     length: 64 * factor, factor: factor as f64, perplexity, perplexity_last: perplexity, tokens: 1 };
/// let rows = [row("expe", 1, 15.5), row("expe", 2, 15.2), row("rope", 1, 15.8), row("rope", 2, 16.7)];
/// assert_eq!(text_table(&rows, Figure::All), "\
/// perplexity, all positions
///       64 (1×)  128 (2×)
/// expe   15.50*    15.20*
/// rope   15.80     16.70
/// ");
/// ```
pub fn text_table(rows: &[Row], figure: Figure) -> String {
    let summary = Summary::new(rows, figure);
    let mut lines: Vec<Vec<String>> = vec![vec![String::new()]];
    for column in &summary.columns {
        lines[0].push(format!("{} ({})", column.length, times(column.factor)));
    }
    for (index, line) in summary.lines.iter().enumerate() {
        let mut cells = vec![line.position.clone()];
        for (column, cell) in line.cells.iter().enumerate() {
            let text = cell.map_or_else(|| "—".to_owned(), |cell| cell.text());
            let mark = if summary.best(column) == Some(index) { '*' } else { ' ' };
            cells.push(format!("{text}{mark}"));
        }
        lines.push(cells);
    }
    let width = |column: usize| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..=summary.columns.len()).map(width).collect();
    let mut table = format!("perplexity, {}\n", figure.title());
    for line in &lines {
        let mut text = format!("{:<width$}", line[0], width = widths[0]);
        for (cell, &width) in line.iter().zip(&widths).skip(1) {
            text.push_str(&format!("  {cell:>width$}"));
        }
        table.push_str(text.trim_end());
        table.push('\n');
    }
    table
}

/// Writes rows as comma-separated values with a header. Perplexities that are not finite become `inf` or `NaN`.
///
/// # Errors
/// The errors of the writer.
pub fn write_csv(rows: &[Row], writer: &mut impl Write) -> io::Result<()> {
    writeln!(writer, "position,seed,length,factor,perplexity,perplexity_last,tokens")?;
    for row in rows {
        let Row { position, seed, length, factor, perplexity, perplexity_last, tokens } = row;
        let position = quoted(position);
        writeln!(
            writer,
            "{position},{seed},{length},{factor},{perplexity},{perplexity_last},{tokens}"
        )?;
    }
    Ok(())
}

/// Quotes a field as in RFC 4180, if necessary.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::row;
    use super::*;

    #[test]
    fn missing_and_infinite_cells_are_shown() {
        let rows =
            [row("expe", 0, 64, 15.5), row("expe", 1, 64, 15.7), row("learned", 0, 64, 19.0)];
        let rows = [&rows[..], &[row("expe", 0, 128, f64::INFINITY)]].concat();
        assert_eq!(
            text_table(&rows, Figure::All),
            "perplexity, all positions\n\
             \x20             64 (1×)  128 (2×)\n\
             expe     15.60 ±0.10*      inf\n\
             learned        19.00         —\n"
        );
        assert_eq!(text_table(&[], Figure::Last).lines().count(), 2);
    }

    #[test]
    fn csv_fields_are_quoted_if_necessary() {
        let mut text = Vec::new();
        write_csv(&[row("a,\"b\"", 1, 64, f64::INFINITY)], &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().nth(1), Some("\"a,\"\"b\"\"\",1,64,1,inf,inf,1000"));
        let header = text.lines().next().unwrap();
        assert_eq!(header.split(',').count(), 7);
    }
}
