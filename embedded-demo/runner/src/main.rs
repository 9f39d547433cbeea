//! Runs firmware in QEMU and prints its log.
//!
//! ```text
//! expe-firmware-runner FIRMWARE [--machine NAME] [--timeout SECONDS]
//! ```
//!
//! The exit status is that of the firmware, or 3 if it idles after an error. It is an error if the firmware does not
//! end in time or its log cannot be decoded.

use std::{io, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser;
use expe_firmware_runner::{Machine, run};

/// Runs firmware in QEMU and prints its decoded log.
#[derive(Parser)]
struct Arguments {
    /// ELF file of the firmware.
    firmware: PathBuf,
    /// QEMU machine to run it on [default: the name of the file].
    #[arg(long)]
    machine: Option<String>,
    /// Time limit in seconds; exceeding it is an error.
    #[arg(long, default_value_t = 300)]
    timeout: u64,
}

fn main() -> Result<ExitCode> {
    let Arguments { firmware, machine, timeout } = Arguments::parse();
    let file_name = || firmware.file_stem()?.to_str().map(str::to_owned);
    let machine = machine
        .or_else(file_name)
        .context("cannot derive the machine from the file name: use --machine")?;
    let machine = Machine::new(machine, &firmware)?;
    Ok(ExitCode::from(run(&machine, Duration::from_secs(timeout), io::stdout().lock())?))
}
