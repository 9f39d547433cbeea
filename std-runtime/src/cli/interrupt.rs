//! Ctrl-C: the first one asks the running command to save and stop, the second one stops at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::CliError;

static STOP: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<bool> = OnceLock::new();

/// Catch Ctrl-C and the polite termination signal from here on; the flag turns true when one comes.
///
/// # Errors
/// [`CliError::Signals`] when the system refuses the handler.
pub fn catch() -> Result<&'static AtomicBool, CliError> {
    let installed = INSTALLED.get_or_init(|| {
        let handler = || {
            if STOP.swap(true, Ordering::SeqCst) {
                std::process::exit(super::error::INTERRUPTED.into());
            }
            eprintln!("\nstopping (press Ctrl-C again to stop at once)");
        };
        ctrlc::set_handler(handler).is_ok()
    });
    if *installed { Ok(&STOP) } else { Err(CliError::Signals) }
}
