//! SVG plot of perplexity as a function of length.

use std::error::Error;
use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{logarithmic_ticks, spread};
use super::error::ReportError;
use super::row::{Figure, Row};
use super::style::{Style, draw_marker, styles};
use super::summary::{Cell, Column, Summary, times};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawResult<T = ()> = Result<T, Box<dyn Error>>;

/// Size of the canvas. It is larger than the displayed size, because coordinates are integers.
const SIZE: (u32, u32) = (1920, 860);
const TITLE: i32 = 44;
const TEXT: i32 = 31;
const SMALL: i32 = 27;
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const FAINT: RGBColor = RGBColor(0x66, 0x66, 0x66);
const GRID: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);
/// Margins for the tick labels (left), the title (top) and the lengths (bottom).
const LEFT: i32 = 110;
const TOP: i32 = 70;
const BOTTOM: i32 = 120;

/// Draws perplexity against length on logarithmic axes, with one line per encoding.
///
/// There are two panels: perplexity over all positions and over the last ones. Whiskers show the range over the
/// seeds. A note below the plot lists values that are not finite, which have no point.
///
/// # Errors
/// [`ReportError::NothingToPlot`] if no perplexity is finite and positive.
pub fn plot_svg(title: &str, rows: &[Row]) -> Result<String, ReportError> {
    let panels = [Figure::All, Figure::Last].map(|figure| Panel::new(rows, figure));
    if panels.iter().all(|panel| panel.points().next().is_none()) {
        return Err(ReportError::NothingToPlot);
    }
    let mut svg = String::new();
    draw(title, &panels, &mut svg).map_err(|error| ReportError::Drawing(error.to_string()))?;
    Ok(svg)
}

fn draw(title: &str, panels: &[Panel; 2], svg: &mut String) -> DrawResult {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    text(&root, title, (SIZE.0 as i32 / 2, 34), TITLE, INK, Anchor::Middle)?;
    let notes = not_drawn(panels);
    let note_height = if notes.is_empty() { 0 } else { SMALL + 14 };
    let (above, below) = root.split_vertically(SIZE.1 as i32 - note_height);
    let (_, above) = above.split_vertically(TITLE + 24);
    for (panel, area) in panels.iter().zip(above.split_evenly((1, 2))) {
        panel.draw(&area)?;
    }
    text(&below, &notes, (LEFT, SMALL / 2), SMALL, FAINT, Anchor::Start)?;
    root.present()?;
    Ok(())
}

/// Lists the measured cells that have no point.
fn not_drawn(panels: &[Panel; 2]) -> String {
    let mut notes: Vec<String> = Vec::new();
    let Some(panel) = panels.first() else { return String::new() };
    for (index, line) in panel.summary.lines.iter().enumerate() {
        let mut places: Vec<String> = Vec::new();
        for (number, column) in panel.summary.columns.iter().enumerate() {
            let cells = panels.iter().filter_map(|panel| panel.summary.lines[index].cells[number]);
            if cells.clone().any(|cell| !drawable(cell)) {
                places.push(times(column.factor));
            }
        }
        if !places.is_empty() {
            notes.push(format!("{} at {}", line.position, places.join(", ")));
        }
    }
    if notes.is_empty() { String::new() } else { format!("Not finite: {}.", notes.join("; ")) }
}

fn drawable(cell: Cell) -> bool {
    [cell.low, cell.mean, cell.high].iter().all(|value| value.is_finite() && *value > 0.0)
}

/// The panel of one figure.
struct Panel {
    figure: Figure,
    summary: Summary,
    styles: Vec<Style>,
}

/// A point with its whisker, in logarithms.
struct Point {
    x: f64,
    mean: f64,
    low: f64,
    high: f64,
}

impl Panel {
    fn new(rows: &[Row], figure: Figure) -> Self {
        let summary = Summary::new(rows, figure);
        let positions: Vec<&str> =
            summary.lines.iter().map(|line| line.position.as_str()).collect();
        let styles = styles(&positions);
        Self { figure, summary, styles }
    }

    /// Returns the points of a line. `None` interrupts the line.
    fn line(&self, index: usize) -> impl Iterator<Item = Option<Point>> {
        let cells = self.summary.lines.get(index).map(|line| line.cells.as_slice());
        self.summary.columns.iter().zip(cells.unwrap_or_default()).map(|(column, cell)| {
            let cell = cell.filter(|cell| drawable(*cell))?;
            Some(Point {
                x: x(*column),
                mean: cell.mean.ln(),
                low: cell.low.ln(),
                high: cell.high.ln(),
            })
        })
    }

    /// Returns the width reserved for the labels on the right, at most a third of the panel.
    fn names_width(&self) -> i32 {
        let longest = self.summary.lines.iter().map(|line| line.position.chars().count()).max();
        // A letter is about half as wide as it is high; 50 pixels are for the marker.
        (50 + longest.unwrap_or_default() as i32 * (TEXT * 53 / 100)).clamp(180, 330)
    }

    fn points(&self) -> impl Iterator<Item = Point> {
        (0..self.summary.lines.len()).flat_map(|index| self.line(index)).flatten()
    }

    fn draw(&self, area: &Area<'_>) -> DrawResult {
        let (width, height) = area.dim_in_pixel();
        let (width, height) = (width as i32, height as i32);
        let middle = (LEFT + width - self.names_width()) / 2;
        text(area, self.figure.title(), (middle, TOP / 2), TEXT, INK, Anchor::Middle)?;
        text(area, "perplexity", (12, TOP / 2), SMALL, FAINT, Anchor::Start)?;
        let below = height - BOTTOM;
        text(area, "tokens", (LEFT - 16, below + 30), SMALL, FAINT, Anchor::End)?;
        if self.points().next().is_none() {
            return text(area, "nothing finite", (middle, height / 2), TEXT, FAINT, Anchor::Middle);
        }

        let xs = range(self.summary.columns.iter().map(|column| x(*column)), 0.5);
        let ys = range(self.points().flat_map(|point| [point.low, point.high]), 0.02);
        let ticks = logarithmic_ticks(ys.start.exp()..ys.end.exp());
        let chart = ChartBuilder::on(area)
            .margin_top(TOP)
            .margin_right(self.names_width())
            .set_label_area_size(LabelAreaPosition::Left, LEFT)
            .set_label_area_size(LabelAreaPosition::Bottom, BOTTOM)
            .build_cartesian_2d(xs, ys.clone())?;
        let at = |x: f64, y: f64| {
            let (left, top) = area.get_base_pixel();
            let (x, y) = chart.backend_coord(&(x, y));
            (x - left, y - top)
        };
        let right = width - self.names_width();
        for tick in ticks {
            let y = at(0.0, tick.ln()).1;
            area.draw(&PathElement::new([(LEFT, y), (right, y)], GRID.stroke_width(2)))?;
            text(area, &tick_text(tick), (LEFT - 16, y), SMALL, INK, Anchor::End)?;
        }
        let floor = at(0.0, ys.start).1;
        area.draw(&PathElement::new([(LEFT, floor), (right, floor)], FAINT.stroke_width(2)))?;
        for column in &self.summary.columns {
            let x = at(x(*column), 0.0).0;
            area.draw(&PathElement::new([(x, floor), (x, floor + 10)], FAINT.stroke_width(2)))?;
            text(area, &column.length.to_string(), (x, floor + 30), SMALL, INK, Anchor::Middle)?;
            text(area, &times(column.factor), (x, floor + 64), SMALL, FAINT, Anchor::Middle)?;
        }
        self.draw_lines(area, &at)?;
        self.draw_names(area, &at, TOP..floor)
    }

    fn draw_lines(&self, area: &Area<'_>, at: &dyn Fn(f64, f64) -> (i32, i32)) -> DrawResult {
        // The first encoding is drawn last, on top of the others.
        for (index, style) in self.styles.iter().enumerate().rev() {
            let points: Vec<Option<Point>> = self.line(index).collect();
            for segment in points.split(Option::is_none) {
                let path: Vec<(i32, i32)> =
                    segment.iter().flatten().map(|point| at(point.x, point.mean)).collect();
                area.draw(&PathElement::new(path, style.color.stroke_width(5)))?;
            }
            for point in points.iter().flatten() {
                if point.low < point.high {
                    let whisker = [at(point.x, point.low), at(point.x, point.high)];
                    area.draw(&PathElement::new(whisker, style.color.stroke_width(3)))?;
                }
                draw_marker(area, at(point.x, point.mean), *style)?;
            }
        }
        Ok(())
    }

    /// Draws the names of the encodings beside their last points, without overlaps.
    fn draw_names(
        &self,
        area: &Area<'_>,
        at: &dyn Fn(f64, f64) -> (i32, i32),
        within: Range<i32>,
    ) -> DrawResult {
        let ends: Vec<(usize, (i32, i32))> = (0..self.styles.len())
            .filter_map(|index| {
                let last = self.line(index).flatten().last()?;
                Some((index, at(last.x, last.mean)))
            })
            .collect();
        let wanted: Vec<i32> = ends.iter().map(|(_, (_, y))| *y).collect();
        let left = area.dim_in_pixel().0 as i32 - self.names_width();
        let last_column = self.summary.columns.last().map_or(0, |column| at(x(*column), 0.0).0);
        for ((index, end), y) in ends.into_iter().zip(spread(&wanted, TEXT + 6, within)) {
            let style = self.styles[index];
            // Only from the last column: a long leader from a line that ends earlier would look like data.
            if end.0 == last_column {
                let leader = [(end.0 + 14, end.1), (left + 6, y)];
                area.draw(&PathElement::new(leader, style.color.mix(0.5).stroke_width(2)))?;
            }
            draw_marker(area, (left + 18, y), style)?;
            let name = &self.summary.lines[index].position;
            text(area, name, (left + 36, y), TEXT, INK, Anchor::Start)?;
        }
        Ok(())
    }
}

fn x(column: Column) -> f64 {
    (column.length.max(1) as f64).log2()
}

/// Returns the range of `values`, extended at both ends by 4 % of its length, but at least by `margin`.
fn range(values: impl Iterator<Item = f64>, margin: f64) -> Range<f64> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let margin = margin.max((high - low) * 0.04);
    low - margin..high + margin
}

fn tick_text(tick: f64) -> String {
    match tick {
        tick if tick >= 1e6 => format!("{tick:.0e}"),
        tick if tick < 9.95 && (tick - tick.round()).abs() > 0.01 => format!("{tick:.1}"),
        tick => format!("{tick:.0}"),
    }
}

enum Anchor {
    Start,
    Middle,
    End,
}

fn text(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: i32,
    color: RGBColor,
    anchor: Anchor,
) -> DrawResult {
    let horizontal = match anchor {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    let font = ("sans-serif", size).into_font().color(&color);
    let style = font.pos(Pos::new(horizontal, VPos::Center));
    // XML cannot represent control characters.
    let text = text.replace(char::is_control, "\u{fffd}");
    area.draw(&Text::new(text, at, style))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::row;
    use super::*;

    #[test]
    fn every_encoding_and_length_is_named_in_both_panels() {
        let rows = [row("expe", 0, 64, 15.5), row("expe", 0, 128, 15.2), row("rope", 0, 64, 15.8)];
        let svg = plot_svg("Perplexity", &rows).unwrap();
        for text in ["expe", "rope", "64", "128", "1×", "2×"] {
            let count = svg.matches(&format!("\n{text}\n")).count();
            assert_eq!(count, 2, "{text} in {svg}");
        }
        assert!(!svg.contains("Not finite"));
    }

    #[test]
    fn values_that_are_not_finite_are_listed_below_the_plot() {
        let rows = [
            row("expe", 0, 64, 15.5),
            row("rope", 0, 64, f64::INFINITY),
            row("rope", 0, 128, f64::NAN),
            row("alibi", 0, 64, 0.0),
        ];
        let svg = plot_svg("x", &rows).unwrap();
        assert!(svg.contains("Not finite: rope at 1×, 2×; alibi at 1×."), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        for rows in [&rows[1..], &[]] {
            assert!(matches!(plot_svg("x", rows), Err(ReportError::NothingToPlot)));
        }
    }

    #[test]
    fn extreme_values_can_be_drawn() {
        for perplexity in [1.0, 1e-300, 1e300, 93_000.0] {
            let rows = [row("expe", 0, 1, perplexity), row("expe", 0, 1 << 40, 2.0)];
            assert!(plot_svg("x", &rows).is_ok(), "{perplexity}");
        }
    }

    #[test]
    fn names_are_escaped() {
        let svg = plot_svg("a < b", &[row("<script>&\"", 0, 64, 3.0)]).unwrap();
        assert!(!svg.contains("<script>"), "{svg}");
        assert!(svg.contains("&lt;script&gt;&amp;"), "{svg}");
    }
}
