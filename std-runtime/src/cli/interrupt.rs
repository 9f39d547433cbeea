//! Handling of Ctrl-C: the first one asks the running command to save and stop, the second one exits immediately.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::CliError;

static STOP: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<bool> = OnceLock::new();

/// Installs the handler for Ctrl-C and the termination signal. The first signal sets the returned flag.
///
/// # Errors
/// [`CliError::Signals`] when the handler cannot be installed.
pub fn catch() -> Result<&'static AtomicBool, CliError> {
    let installed = INSTALLED.get_or_init(|| {
        let handler = || {
            if STOP.swap(true, Ordering::SeqCst) {
                std::process::exit(super::error::INTERRUPTED.into());
            }
            eprintln!("\nstopping (press Ctrl-C again to stop immediately)");
        };
        ctrlc::set_handler(handler).is_ok()
    });
    if *installed { Ok(&STOP) } else { Err(CliError::Signals) }
}
