//! Output of results to standard output or a `--json` file.

use std::io::{self, Write};
use std::path::Path;

use expe::atomic::write_atomically;
use expe::report::{self, Row};
use serde::Serialize;

use super::CliError;

/// Writes `value` as JSON to `path` atomically, or to standard output if `path` is `-`.
///
/// # Errors
/// [`CliError::Write`] when it cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), CliError> {
    write(path, |to| {
        serde_json::to_writer_pretty(&mut *to, value)?;
        writeln!(to)
    })
}

/// Writes rows as JSON, as [`report::write_json`] does, to `path` or standard output (`-`).
///
/// # Errors
/// Same as [`write_json`].
pub fn write_rows(path: &Path, rows: &[Row]) -> Result<(), CliError> {
    write(path, |mut to| report::write_json(rows, &mut to))
}

/// Returns whether `path` is standard output, which then must contain nothing else.
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn write(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CliError> {
    let written = if is_stdout(path) {
        let mut out = io::stdout().lock();
        write(&mut out).and_then(|()| out.flush())
    } else {
        write_atomically(path, |file| write(file))
    };
    written.map_err(|source| CliError::Write { path: path.to_owned(), source })
}

/// Prints `text` and a newline to standard output.
///
/// # Errors
/// [`CliError::Write`] when standard output is closed or full.
pub fn print(text: &str) -> Result<(), CliError> {
    print_part(&format!("{text}\n"))
}

/// Prints `text` to standard output and flushes it.
///
/// # Errors
/// Same as [`print`].
pub fn print_part(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|source| CliError::Write { path: "standard output".into(), source })
}
