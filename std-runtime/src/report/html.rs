//! One page that holds everything about a comparison.

use std::fmt::Write;

use super::error::ReportError;
use super::plot::plot_svg;
use super::row::{Figure, Row};
use super::summary::{Summary, times};

/// What a page says.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Headline of the page and of the plot.
    pub title: &'a str,
    /// The measurements.
    pub rows: &'a [Row],
    /// What was run, as names and values: command, text, model, budget, time.
    pub run: &'a [(String, String)],
    /// Texts that a model wrote.
    pub samples: &'a [Sample],
}

/// A text that a model wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Which model, from which file, by which engine.
    pub source: String,
    /// What it was given.
    pub prompt: String,
    /// What it wrote after that.
    pub text: String,
}

const STYLE: &str = "\
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; }
h2 { font-size: 1.15rem; margin-top: 2.2rem; }
figure { margin: 1rem 0; }
figure svg { display: block; width: 100%; height: auto; background: #fff; border-radius: .4rem; }
figcaption { margin-top: .6rem; }
figcaption, .note { opacity: .75; font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid #8884; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; }
dt { opacity: .75; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: .8rem 1rem; border-radius: .4rem; \
background: #8881; }
pre .prompt { opacity: .65; }
";

/// Write the page as one HTML file without anything outside it: plot, both tables, what was run and
/// what was written. All text is escaped.
///
/// # Errors
/// [`ReportError::Drawing`]. Where nothing is finite the page says so in place of the plot.
pub fn html_page(page: &Page<'_>) -> Result<String, ReportError> {
    let mut html = String::new();
    let title = escaped(page.title);
    html.push_str("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    add(&mut html, format_args!("<title>{title}</title>\n<style>\n{STYLE}</style>\n"));
    add(&mut html, format_args!("</head>\n<body>\n<h1>{title}</h1>\n<figure>\n"));
    match plot_svg(page.title, page.rows) {
        Ok(svg) => html.push_str(&svg),
        Err(ReportError::NothingToPlot) => {
            add(&mut html, format_args!("<p>{}</p>\n", ReportError::NothingToPlot));
        }
        Err(error) => return Err(error),
    }
    html.push_str(
        "<figcaption>Lower is better. Both axes are logarithmic. Several seeds: mean, and \
         whiskers from the lowest to the highest.</figcaption>\n</figure>\n",
    );
    for figure in [Figure::All, Figure::Last] {
        table(&mut html, page.rows, figure);
    }
    html.push_str("<p class=\"note\">The lowest of every column is bold.");
    html.push_str(
        " Several seeds: mean ± half of the range. —: not measured or not a number.</p>\n",
    );
    if !page.run.is_empty() {
        html.push_str("<h2>What was run</h2>\n<dl>\n");
        for (name, value) in page.run {
            let (name, value) = (escaped(name), escaped(value));
            add(&mut html, format_args!("<dt>{name}</dt><dd>{value}</dd>\n"));
        }
        html.push_str("</dl>\n");
    }
    if !page.samples.is_empty() {
        html.push_str("<h2>What it writes</h2>\n");
        for sample in page.samples {
            let [source, prompt, text] =
                [&sample.source, &sample.prompt, &sample.text].map(|text| escaped(text));
            add(&mut html, format_args!("<p>{source}</p>\n<pre>"));
            add(&mut html, format_args!("<span class=\"prompt\">{prompt}</span>{text}</pre>\n"));
        }
    }
    html.push_str("</body>\n</html>\n");
    Ok(html)
}

fn table(html: &mut String, rows: &[Row], figure: Figure) {
    let summary = Summary::new(rows, figure);
    let title = escaped(figure.title());
    add(html, format_args!("<h2>Perplexity, {title}</h2>\n<div class=\"scroll\"><table>\n"));
    html.push_str("<tr><th>position</th>");
    for column in &summary.columns {
        add(html, format_args!("<th>{} ({})</th>", column.length, times(column.factor)));
    }
    html.push_str("</tr>\n");
    for (index, line) in summary.lines.iter().enumerate() {
        add(html, format_args!("<tr><td>{}</td>", escaped(&line.position)));
        for (column, cell) in line.cells.iter().enumerate() {
            let text = cell.map_or_else(|| "—".to_owned(), |cell| cell.text());
            if summary.best(column) == Some(index) {
                add(html, format_args!("<td><b>{text}</b></td>"));
            } else {
                add(html, format_args!("<td>{text}</td>"));
            }
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>\n");
}

/// Append to a string, which cannot fail.
fn add(html: &mut String, text: std::fmt::Arguments<'_>) {
    let written = html.write_fmt(text);
    debug_assert!(written.is_ok());
}

/// Replace what HTML reads as markup; other control characters than tab and line feed, which HTML
/// forbids, become U+FFFD.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' => escaped.push(character),
            control if control.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::fixture::row;
    use super::*;

    fn page(rows: &[Row], hostile: &str) -> String {
        let sample =
            Sample { source: hostile.into(), prompt: hostile.into(), text: hostile.into() };
        let run = [(hostile.to_owned(), hostile.to_owned())];
        html_page(&Page { title: hostile, rows, run: &run, samples: &[sample] }).unwrap()
    }

    #[test]
    fn nothing_is_read_as_markup() {
        let hostile = "</pre><script>alert('1')</script>&\"\0\u{1b}[31m";
        let html = page(&[row(hostile, 0, 64, 15.5)], hostile);
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains(['\0', '\u{1b}']), "{html}");
        assert_eq!(html.matches("</pre>").count(), 1);
    }

    #[test]
    fn holds_everything_and_fetches_nothing() {
        let rows = [row("expe", 0, 64, 15.5), row("rope", 0, 64, 15.8), row("rope", 0, 128, 16.7)];
        let html = page(&rows, "hello");
        for text in ["<svg", "<b>15.50</b>", "<td>15.80</td>", "128 (2×)", "<td>—</td>"] {
            assert!(html.contains(text), "{text}");
        }
        assert_eq!(html.matches("hello").count(), 1 + 1 + 1 + 2 + 3);
        for outside in ["src=", "href=", "@import", "url("] {
            assert!(!html.contains(outside), "{outside}");
        }
    }

    #[test]
    fn says_when_nothing_is_finite() {
        let html = page(&[row("expe", 0, 64, f64::INFINITY)], "x");
        assert!(html.contains("nothing to plot") && html.contains("<td>inf</td>"), "{html}");
        page(&[], "");
    }
}
