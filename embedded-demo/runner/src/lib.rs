//! Runs a firmware in QEMU and decodes its log.
//!
//! The firmware logs with `defmt` over semihosting: QEMU's standard output carries compressed
//! frames, which are decoded with the format strings that the ELF file keeps.

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

/// How long a firmware that idles is watched.
const WATCHED: Duration = Duration::from_millis(200);
/// The exit status for a firmware that idles after an error.
const IDLE: u8 = 3;

/// Emulates a firmware to its end, writes its decoded log to `output` and returns its exit status, or
/// 3 for one that idles after an error.
///
/// # Errors
///
/// QEMU cannot be started, the firmware runs out of time, or its log cannot be decoded or written.
pub fn run(machine: &Machine, timeout: Duration, output: impl io::Write) -> Result<u8> {
    let table = log::format_table(machine.elf())?;
    let mut log = LogPrinter::new(&table, output);

    let mut emulator = machine.start()?;
    let printed = print_to_the_end(&mut emulator, &mut log, Instant::now() + timeout);
    let idle = matches!(printed, Ok(End::Idle)) && emulator.try_wait()?.is_none();
    if printed.is_err() || idle {
        // It may have ended by itself in the meantime; either way it must not outlive this program.
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
    /// The firmware says that it idles, and then says no more.
    Idle,
}

/// Prints what the emulator sends to the end of the log.
fn print_to_the_end<W: io::Write>(
    emulator: &mut Child,
    log: &mut LogPrinter<'_, W>,
    deadline: Instant,
) -> Result<End> {
    let frames = read_in_background(emulator.stdout.take().context("QEMU's output is missing")?);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let patience = if log.idle() { left.min(WATCHED) } else { left };
        match frames.recv_timeout(patience) {
            Ok(bytes) => log.print(&bytes?)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(End::Closed),
            Err(RecvTimeoutError::Timeout) if log.idle() => return Ok(End::Idle),
            Err(RecvTimeoutError::Timeout) => bail!("the firmware ran out of time (--timeout)"),
        }
    }
}

/// Reads `source` in a thread of its own, so that the reader can wait with a time limit.
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
