//! Ctrl-C: the first one requests the running command to save and stop, the second one exits at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::CliError;

static STOP: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<bool> = OnceLock::new();

/// Catches Ctrl-C and the termination signal from now on; the returned flag turns true at the first one.
///
/// # Errors
/// [`CliError::Signals`] when the handler cannot be installed.
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
