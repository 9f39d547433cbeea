//! Rows grouped by encoding and length.

use super::row::{Figure, Row};

/// A figure for every encoding and length, aggregated over the seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Lengths, in increasing order.
    pub columns: Vec<Column>,
    /// Encodings, in the order of their first rows.
    pub lines: Vec<Line>,
}

/// A length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Column {
    /// Length in tokens.
    pub length: usize,
    /// Length in multiples of the training length.
    pub factor: f64,
}

/// The figures of an encoding.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Name of the encoding.
    pub position: String,
    /// One cell per column; `None` if nothing was measured.
    pub cells: Vec<Option<Cell>>,
}

/// A figure aggregated over the seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Mean; not finite if the figure of a seed is not.
    pub mean: f64,
    /// Lowest figure.
    pub low: f64,
    /// Highest figure.
    pub high: f64,
    /// Number of seeds.
    pub seeds: usize,
}

impl Summary {
    /// Groups rows. If several rows have the same encoding, length and seed, the last one is used.
    pub fn new(rows: &[Row], figure: Figure) -> Self {
        let mut columns: Vec<Column> = Vec::new();
        let mut positions: Vec<&str> = Vec::new();
        for row in rows {
            if columns.iter().all(|column| column.length != row.length) {
                columns.push(Column { length: row.length, factor: row.factor });
            }
            if !positions.contains(&row.position.as_str()) {
                positions.push(&row.position);
            }
        }
        columns.sort_by_key(|column| column.length);
        let line = |position: &str| Line {
            position: position.to_owned(),
            cells: columns
                .iter()
                .map(|column| {
                    Cell::over(rows, figure, |row| {
                        row.position == position && row.length == column.length
                    })
                })
                .collect(),
        };
        let lines = positions.into_iter().map(line).collect();
        Self { columns, lines }
    }

    /// Returns the line with the lowest mean in a column, or `None` if no mean in it is finite.
    pub fn best(&self, column: usize) -> Option<usize> {
        let mean = |line: &Line| line.cells.get(column).copied().flatten().map(|cell| cell.mean);
        self.lines
            .iter()
            .enumerate()
            .filter_map(|(index, line)| Some((index, mean(line).filter(|mean| mean.is_finite())?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(index, _)| index)
    }
}

impl Cell {
    fn over(rows: &[Row], figure: Figure, selected: impl Fn(&Row) -> bool) -> Option<Self> {
        let mut seeds: Vec<(u64, f64)> = Vec::new();
        for row in rows.iter().filter(|row| selected(row)) {
            seeds.retain(|(seed, _)| *seed != row.seed);
            seeds.push((row.seed, figure.value(row)));
        }
        let figures = || seeds.iter().map(|(_, figure)| *figure);
        (!seeds.is_empty()).then(|| Self {
            mean: figures().sum::<f64>() / seeds.len() as f64,
            low: figures().fold(f64::INFINITY, f64::min),
            high: figures().fold(f64::NEG_INFINITY, f64::max),
            seeds: seeds.len(),
        })
    }

    /// Returns half of the range over the seeds, or `None` for one seed.
    pub fn half_range(&self) -> Option<f64> {
        (self.seeds > 1).then(|| (self.high - self.low) / 2.0)
    }

    /// Formats the mean, with ± half of the range if there are several seeds.
    pub fn text(&self) -> String {
        match self.half_range() {
            Some(half) if self.mean.is_finite() => {
                format!("{} ±{}", number(self.mean), number_like(half, self.mean))
            }
            _ => number(self.mean),
        }
    }
}

/// Formats a perplexity with three to five digits: `15.52`, `152.1`, `1521`, `1.5e6`, `inf`, `—` for NaN.
pub fn number(value: f64) -> String {
    if value.is_finite() {
        number_like(value, value)
    } else if value.is_nan() {
        "—".to_owned()
    } else {
        "inf".to_owned()
    }
}

/// Formats `value` with the number of decimals of `scale`.
fn number_like(value: f64, scale: f64) -> String {
    match scale.abs() {
        scale if scale < 100.0 => format!("{value:.2}"),
        scale if scale < 1_000.0 => format!("{value:.1}"),
        scale if scale < 100_000.0 => format!("{value:.0}"),
        _ => format!("{value:.1e}"),
    }
}

/// Formats a factor as `2×` or `1.5×`.
pub(super) fn times(factor: f64) -> String {
    let rounded = (factor * 100.0).round() / 100.0;
    format!("{rounded}×")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::row;
    use super::*;

    #[test]
    fn groups_rows_by_seed_and_length() {
        let rows = [
            row("rope", 0, 128, 20.0),
            row("rope", 0, 64, 10.0),
            row("rope", 1, 64, 13.0),
            row("rope", 1, 64, 12.0),
            row("expe", 0, 64, 11.5),
        ];
        let summary = Summary::new(&rows, Figure::All);
        assert_eq!(summary.columns.iter().map(|c| c.length).collect::<Vec<_>>(), [64, 128]);
        assert_eq!(summary.lines[0].position, "rope");
        let cell = summary.lines[0].cells[0].unwrap();
        assert_eq!((cell.mean, cell.half_range(), cell.seeds), (11.0, Some(1.0), 2));
        assert_eq!(cell.text(), "11.00 ±1.00");
        assert_eq!(summary.lines[1].cells, [Cell::over(&rows[4..], Figure::All, |_| true), None]);
        assert_eq!(summary.best(0), Some(0));
        assert_eq!(summary.best(1), Some(0));
        let last = Summary::new(&rows, Figure::Last).lines[1].cells[0].unwrap();
        assert_eq!(last.mean, 11.5 / 2.0);
    }

    #[test]
    fn values_that_are_not_finite_are_shown() {
        let rows =
            [row("a", 0, 64, f64::INFINITY), row("a", 1, 64, 3.0), row("b", 0, 64, f64::NAN)];
        let summary = Summary::new(&rows, Figure::All);
        assert_eq!(summary.lines[0].cells[0].unwrap().text(), "inf");
        assert_eq!(summary.lines[1].cells[0].unwrap().text(), "—");
        assert_eq!(summary.best(0), None);
    }

    #[test]
    fn numbers_keep_their_digits() {
        let cases = [
            (9.876, "9.88"),
            (15.523, "15.52"),
            (152.34, "152.3"),
            (1523.4, "1523"),
            (1.5e6, "1.5e6"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
        assert_eq!((times(16.0), times(1.5)), ("16×".into(), "1.5×".into()));
    }
}
