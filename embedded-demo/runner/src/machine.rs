//! Which emulator and machine a firmware is made for, and how QEMU is started.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// An emulator, one of its machines, and what runs on it.
#[derive(Debug)]
pub struct Machine {
    family: Family,
    /// The name that `-M` takes.
    name: String,
    firmware: PathBuf,
    elf: Vec<u8>,
    more: Vec<OsString>,
}

/// A processor family.
#[derive(Debug, PartialEq, Eq)]
struct Family {
    /// QEMU's program for it, such as `qemu-system-arm`.
    emulator: &'static str,
    /// Arguments that all of its machines need.
    arguments: &'static [&'static str],
}

impl Family {
    /// The family that the header of an ELF file names.
    ///
    /// Time in the machine is the number of executed instructions: 2⁸ ns each for Arm, and 1 ns for
    /// RISC-V, where the processor counts them itself. So a firmware can count them, and every run is
    /// the same.
    fn of(elf: &[u8]) -> Result<Self> {
        let (emulator, arguments): (_, &[_]) = match elf_machine(elf) {
            Some(40) => ("qemu-system-arm", &["-icount", "shift=8"]),
            Some(243) => ("qemu-system-riscv32", &["-icount", "shift=0", "-bios", "none"]),
            Some(other) => bail!("no emulator for the ELF machine number {other}"),
            None => bail!("the firmware is not an ELF file"),
        };
        Ok(Self { emulator, arguments })
    }
}

impl Machine {
    /// The machine `name` with a firmware, an ELF file.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is not ELF, or a processor family without an emulator.
    pub fn new(name: String, firmware: &Path) -> Result<Self> {
        let elf = std::fs::read(firmware)
            .with_context(|| format!("cannot read {}", firmware.display()))?;
        let family = Family::of(&elf)?;
        Ok(Self { family, name, firmware: firmware.to_owned(), elf, more: Vec::new() })
    }

    /// The same with a file in memory: its length in 4 bytes at `address`, its bytes 16 behind.
    ///
    /// # Errors
    ///
    /// There is no such file.
    #[must_use = "it is for the machine that is returned"]
    pub fn with_file(mut self, file: &Path, address: u32) -> Result<Self> {
        let length = file.metadata().with_context(|| format!("no file {}", file.display()))?.len();
        let mut bytes = OsString::from(format!("loader,addr={},force-raw=on,file=", address + 16));
        bytes.push(file);
        let length = format!("loader,addr={address},data={length},data-len=4").into();
        self.more.extend(["-device".into(), bytes, "-device".into(), length]);
        Ok(self)
    }

    /// The same with a plugin in the emulator: a file, and `,key=value` for it.
    #[must_use = "it is for the machine that is returned"]
    pub fn with_plugin(mut self, plugin: &str) -> Self {
        self.more.extend(["-plugin".into(), plugin.into()]);
        self
    }

    /// The firmware.
    pub(crate) fn elf(&self) -> &[u8] {
        &self.elf
    }

    /// Starts the emulator; its standard output is piped.
    ///
    /// # Errors
    ///
    /// QEMU is neither on the `PATH` nor among what `tests/install` unpacked, or cannot be started.
    pub(crate) fn start(&self) -> Result<Child> {
        let emulator = self.family.emulator;
        let unpacked = cache_folder().map(|cache| cache.join("bin").join(emulator));
        for program in [Some(PathBuf::from(emulator)), unpacked].into_iter().flatten() {
            match self.command(&program).spawn() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                started => {
                    return started.with_context(|| format!("cannot start {}", program.display()));
                }
            }
        }
        bail!("{emulator} is not installed: run tests/install")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .args(["-M", &self.name])
            .args(self.family.arguments)
            .args(["-nographic", "-monitor", "none", "-serial", "none"])
            .args(["-semihosting-config", "enable=on,target=native"])
            .args(&self.more)
            .arg("-kernel")
            .arg(&self.firmware)
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
pub fn cache_folder() -> Option<PathBuf> {
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
        let emulator = |number| Family::of(&elf(number)).unwrap().emulator;
        assert_eq!(emulator(40), "qemu-system-arm");
        assert_eq!(emulator(243), "qemu-system-riscv32");
    }

    #[test]
    fn other_files_are_errors() {
        assert!(Family::of(&elf(62)).is_err());
        assert!(Family::of(b"no firmware, only text").is_err());
        assert!(Family::of(b"\x7fELF").is_err());
    }
}
