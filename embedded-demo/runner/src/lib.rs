//! Runs firmware in QEMU and decodes its log.
//!
//! The firmware logs with `defmt` over semihosting: QEMU writes compressed frames to its standard output,
//! which are decoded with the format strings in the ELF file.

mod log;
mod machine;

use std::{
    io::{self, Read},
    process::Child,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::log::LogPrinter;
pub use crate::machine::{Machine, cache_folder};

/// How long to wait for further output after the firmware logs that it idles.
const IDLE_WAIT: Duration = Duration::from_millis(200);
/// Exit status for a firmware that idles after an error.
const IDLE: u8 = 3;

/// Runs firmware until it ends, and writes its decoded log to `output`. Returns its exit status, or 3 if it idles
/// after an error.
///
/// # Errors
///
/// Returns an error if QEMU cannot be started, the firmware does not end within `timeout`, or its log cannot be
/// decoded or written.
pub fn run(machine: &Machine, timeout: Duration, output: impl io::Write) -> Result<u8> {
    let table = log::format_table(machine.elf())?;
    let mut log = LogPrinter::new(&table, output);

    let mut emulator = machine.start()?;
    let printed = print_until_end(&mut emulator, &mut log, Instant::now() + timeout);
    let idle = matches!(printed, Ok(End::Idle)) && emulator.try_wait()?.is_none();
    if printed.is_err() || idle {
        // Fails if the emulator has just ended by itself.
        let _ = emulator.kill();
    }
    let status = emulator.wait().context("cannot wait for QEMU")?;
    printed?;
    log.finish()?;
    match status.code() {
        _ if idle => Ok(IDLE),
        Some(code) => Ok(u8::try_from(code).unwrap_or(u8::MAX)),
        None => bail!("QEMU ended abnormally: {status}"),
    }
}

/// How a log ends.
enum End {
    /// The emulator closes its output.
    Closed,
    /// The firmware logs that it idles, and nothing after that.
    Idle,
}

/// Prints the output of the emulator until the log ends.
fn print_until_end<W: io::Write>(
    emulator: &mut Child,
    log: &mut LogPrinter<'_, W>,
    deadline: Instant,
) -> Result<End> {
    let frames = read_in_background(emulator.stdout.take().context("QEMU's output is missing")?);
    loop {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let wait = if log.idle() { remaining.min(IDLE_WAIT) } else { remaining };
        match frames.recv_timeout(wait) {
            Ok(bytes) => log.print(&bytes?)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(End::Closed),
            Err(RecvTimeoutError::Timeout) if log.idle() => return Ok(End::Idle),
            Err(RecvTimeoutError::Timeout) => bail!("the firmware did not end in time"),
        }
    }
}

/// Reads `source` in a separate thread, so that the caller can wait with a time limit.
fn read_in_background(mut source: impl Read + Send + 'static) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let message = match source.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => Ok(buffer[..count].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = message.is_err();
            if sender.send(message).is_err() || failed {
                return;
            }
        }
    });
    receiver
}
