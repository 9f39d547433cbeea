//! Runs a firmware in QEMU and prints its log.
//!
//! ```text
//! expe-firmware-runner FIRMWARE [--machine NAME] [--timeout SECONDS]
//! ```
//!
//! The exit status is the firmware's own, and 3 for a firmware that says that it idles after an error,
//! and then does so. A firmware that runs out of time, or whose log cannot be decoded, is an error.

use std::{io, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser;
use expe_firmware_runner::{Machine, run};

/// Runs a firmware in QEMU and prints its decoded log.
#[derive(Parser)]
struct Arguments {
    /// The ELF file.
    firmware: PathBuf,
    /// The QEMU machine that it is made for [default: the file's name].
    #[arg(long)]
    machine: Option<String>,
    /// Seconds after which the emulator is stopped, which is then a failure.
    #[arg(long, default_value_t = 300)]
    timeout: u64,
}

fn main() -> Result<ExitCode> {
    let Arguments { firmware, machine, timeout } = Arguments::parse();
    let named = || firmware.file_stem()?.to_str().map(str::to_owned);
    let machine = machine.or_else(named).context("the firmware has no name: use --machine")?;
    let machine = Machine::new(machine, &firmware)?;
    Ok(ExitCode::from(run(&machine, Duration::from_secs(timeout), io::stdout().lock())?))
}
