//! The files of a report.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::ReportError;
use super::html::{Page, html_page};
use super::plot::plot_svg;
use super::row::write_json;
use super::table::write_csv;
use crate::atomic::write_atomically;

/// The paths of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFiles {
    /// `results.json`: the rows.
    pub json: PathBuf,
    /// `results.csv`: the rows.
    pub csv: PathBuf,
    /// `perplexity.svg`: the plot; `None` if no perplexity is finite.
    pub svg: Option<PathBuf>,
    /// `report.html`: the page.
    pub html: PathBuf,
}

/// Writes rows, plot and page to a folder. Each file is written atomically.
///
/// # Errors
/// [`ReportError::Drawing`] or [`ReportError::Write`].
pub fn write_report(folder: &Path, page: &Page<'_>) -> Result<ReportFiles, ReportError> {
    let [json, csv, svg, html] = ["results.json", "results.csv", "perplexity.svg", "report.html"]
        .map(|name| folder.join(name));
    write_atomically(&json, |file| write_json(page.rows, file))?;
    write_atomically(&csv, |file| write_csv(page.rows, file))?;
    let svg = match plot_svg(page.title, page.rows) {
        Ok(text) => {
            write_atomically(&svg, |file| file.write_all(text.as_bytes()))?;
            Some(svg)
        }
        Err(ReportError::NothingToPlot) => None,
        Err(error) => return Err(error),
    };
    let text = html_page(page)?;
    write_atomically(&html, |file| file.write_all(text.as_bytes()))?;
    Ok(ReportFiles { json, csv, svg, html })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::fixture::row;
    use super::super::read_json;
    use super::*;

    #[test]
    fn writes_all_files() {
        let folder = tempfile::tempdir().unwrap();
        let rows = [row("expe", 0, 64, 15.5)];
        let page = Page { title: "t", rows: &rows, run: &[], samples: &[] };
        let files = write_report(&folder.path().join("new"), &page).unwrap();
        assert_eq!(read_json(&fs::read_to_string(&files.json).unwrap()).unwrap(), rows);
        assert_eq!(fs::read_to_string(&files.csv).unwrap().lines().count(), 2);
        let svg = fs::read_to_string(files.svg.unwrap()).unwrap();
        assert!(fs::read_to_string(&files.html).unwrap().contains(&svg));

        let nothing = Page { rows: &[], ..page };
        assert_eq!(write_report(folder.path(), &nothing).unwrap().svg, None);
    }
}
