//! Results on standard output or in a `--json` file.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::CliError;
use crate::atomic::write_atomically;

/// Write `value` as JSON to `path`, whole or not at all; `-` is standard output.
///
/// # Errors
/// [`CliError::Write`] when it cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), CliError> {
    let failed = |source: io::Error| CliError::Write { path: path.to_owned(), source };
    let mut text = serde_json::to_string_pretty(value).map_err(|error| failed(error.into()))?;
    text.push('\n');
    if path == Path::new("-") {
        return io::stdout().lock().write_all(text.as_bytes()).map_err(failed);
    }
    write_atomically(path, |file| file.write_all(text.as_bytes())).map_err(failed)
}

/// Print `text` and a line end to standard output.
///
/// # Errors
/// [`CliError::Write`] when standard output is closed or full.
pub fn print(text: &str) -> Result<(), CliError> {
    print_part(&format!("{text}\n"))
}

/// Print `text` to standard output and flush it.
///
/// # Errors
/// As [`print`].
pub fn print_part(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|source| CliError::Write { path: "standard output".into(), source })
}
