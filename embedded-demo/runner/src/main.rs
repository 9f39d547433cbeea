//! Runs a firmware in QEMU and prints its log.
//!
//! ```text
//! expe-firmware-runner FIRMWARE [--timeout SECONDS]
//! ```
//!
//! The firmware logs with `defmt` over semihosting: QEMU's standard output carries compressed
//! frames, which are decoded with the format strings that the ELF file keeps. The exit status is
//! the firmware's own; a firmware that runs out of time, or whose log cannot be decoded, is an error.

mod log;
mod machine;

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, ExitCode},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use clap::Parser;

use crate::{log::LogPrinter, machine::Machine};

/// Runs a firmware in QEMU and prints its decoded log.
#[derive(Parser)]
struct Arguments {
    /// The ELF file; its name is that of the QEMU machine it is made for.
    firmware: PathBuf,
    /// Seconds after which the emulator is stopped, which is then a failure.
    #[arg(long, default_value_t = 300)]
    timeout: u64,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    run(&arguments.firmware, Duration::from_secs(arguments.timeout))
}

/// Emulates `firmware` to its end and returns its exit status.
fn run(firmware: &Path, timeout: Duration) -> Result<ExitCode> {
    let elf =
        std::fs::read(firmware).with_context(|| format!("cannot read {}", firmware.display()))?;
    let table = log::format_table(&elf)?;
    let mut log = LogPrinter::new(&table, io::stdout().lock());

    let mut emulator = Machine::of(firmware, &elf)?.start(firmware)?;
    let printed = print_until_exit(&mut emulator, &mut log, Instant::now() + timeout);
    if printed.is_err() {
        // It may have ended by itself in the meantime; either way it must not outlive this program.
        let _ = emulator.kill();
    }
    let status = emulator.wait().context("cannot wait for QEMU")?;
    printed?;
    log.finish()?;
    match status.code() {
        Some(code) => Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))),
        None => bail!("QEMU ended abnormally: {status}"),
    }
}

/// Prints what the emulator sends until it closes its output.
fn print_until_exit<W: io::Write>(
    emulator: &mut Child,
    log: &mut LogPrinter<'_, W>,
    deadline: Instant,
) -> Result<()> {
    let frames = read_in_background(emulator.stdout.take().context("QEMU's output is missing")?);
    loop {
        match frames.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => log.print(&bytes?)?,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
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
