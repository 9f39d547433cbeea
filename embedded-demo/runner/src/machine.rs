//! Which emulator and machine a firmware is made for, and how QEMU is started.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// An emulator and one of its machines.
#[derive(Debug, PartialEq, Eq)]
pub struct Machine {
    /// QEMU's program for the processor family, such as `qemu-system-arm`.
    emulator: &'static str,
    /// Arguments that all machines of the family need.
    arguments: &'static [&'static str],
    /// The name that `-M` takes.
    name: String,
}

impl Machine {
    /// The machine `name` for a firmware whose content is `elf`: the processor family is the one that
    /// the ELF header names.
    ///
    /// Time in the machine is the number of executed instructions: 2⁸ ns each for Arm, and 1 ns for
    /// RISC-V, where the processor counts them itself. So a firmware can count them, and every run is
    /// the same.
    ///
    /// # Errors
    ///
    /// A file that is not ELF, or a family without an emulator.
    pub fn new(name: String, elf: &[u8]) -> Result<Self> {
        let (emulator, arguments): (_, &[_]) = match elf_machine(elf) {
            Some(40) => ("qemu-system-arm", &["-icount", "shift=8"]),
            Some(243) => ("qemu-system-riscv32", &["-icount", "shift=0", "-bios", "none"]),
            Some(other) => bail!("no emulator for the ELF machine number {other}"),
            None => bail!("the firmware is not an ELF file"),
        };
        Ok(Self { emulator, arguments, name })
    }

    /// Starts the emulator; its standard output is piped.
    ///
    /// # Errors
    ///
    /// QEMU is neither on the `PATH` nor among what `tests/install` unpacked, or cannot be started.
    pub fn start(&self, firmware: &Path) -> Result<Child> {
        let unpacked = cache_folder().map(|cache| cache.join("bin").join(self.emulator));
        for program in [Some(PathBuf::from(self.emulator)), unpacked].into_iter().flatten() {
            match self.command(&program, firmware).spawn() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                started => {
                    return started.with_context(|| format!("cannot start {}", program.display()));
                }
            }
        }
        bail!("{} is not installed: run tests/install", self.emulator)
    }

    fn command(&self, program: &Path, firmware: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .args(["-M", &self.name])
            .args(self.arguments)
            .args(["-nographic", "-monitor", "none", "-serial", "none"])
            .args(["-semihosting-config", "enable=on,target=native"])
            .arg("-kernel")
            .arg(firmware)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }
}

/// The field `e_machine` of a little-endian ELF file.
fn elf_machine(elf: &[u8]) -> Option<u16> {
    let bytes = elf.get(18..20).filter(|_| elf.starts_with(b"\x7fELF"))?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

/// The folder that `tests/install` fills.
fn cache_folder() -> Option<PathBuf> {
    let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("EXPE_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|folder| folder.join("expe")))
        .or_else(|| named("HOME").map(|home| home.join(".cache/expe")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u16) -> Vec<u8> {
        let mut bytes = vec![0; 52];
        bytes[..4].copy_from_slice(b"\x7fELF");
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes
    }

    #[test]
    fn the_header_names_the_emulator() {
        let emulator = |number| Machine::new("name".into(), &elf(number)).unwrap().emulator;
        assert_eq!(emulator(40), "qemu-system-arm");
        assert_eq!(emulator(243), "qemu-system-riscv32");
    }

    #[test]
    fn other_files_are_errors() {
        assert!(Machine::new("x86".into(), &elf(62)).is_err());
        assert!(Machine::new("text".into(), b"no firmware, only text").is_err());
        assert!(Machine::new("short".into(), b"\x7fELF").is_err());
    }
}
