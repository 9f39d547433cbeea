//! The emulator and the emulated machine.

use std::{
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use object::{Object as _, ObjectSymbol as _};

/// An emulated machine and the firmware that runs on it.
#[derive(Debug)]
pub struct Machine {
    family: Family,
    /// The name of the QEMU machine (`-M`).
    name: String,
    firmware: PathBuf,
    elf: Vec<u8>,
    extra_arguments: Vec<OsString>,
}

/// A processor family.
#[derive(Debug, PartialEq, Eq)]
struct Family {
    /// The QEMU program, such as `qemu-system-arm`.
    emulator: &'static str,
    /// Arguments for all machines of the family.
    arguments: &'static [&'static str],
}

impl Family {
    /// Returns the processor family according to the header of an ELF file.
    ///
    /// With `-icount`, time in the machine advances with the executed instructions, by 2⁸ ns each for Arm and by 1 ns
    /// each for RISC-V, whose processors have an instruction counter. So firmware can count instructions, and every
    /// run is the same.
    fn from_elf(elf: &[u8]) -> Result<Self> {
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
    /// Creates the machine `name` for the ELF file `firmware`.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, is not an ELF file, or is for an unsupported processor.
    pub fn new(name: String, firmware: &Path) -> Result<Self> {
        let elf = std::fs::read(firmware)
            .with_context(|| format!("cannot read {}", firmware.display()))?;
        let family = Family::from_elf(&elf)?;
        Ok(Self { family, name, firmware: firmware.to_owned(), elf, extra_arguments: Vec::new() })
    }

    /// Loads a model file into memory: its length as 4 bytes at the symbol `_benchmark_model` of the firmware, and its
    /// content 16 bytes after that address.
    ///
    /// # Errors
    ///
    /// Returns an error if the file does not exist or the firmware has no such symbol.
    pub fn with_model(mut self, file: &Path) -> Result<Self> {
        let symbol = object::File::parse(&*self.elf)?
            .symbol_by_name("_benchmark_model")
            .map(|symbol| symbol.address());
        let address = symbol.context("the firmware has no symbol `_benchmark_model`")?;
        let length = file.metadata().with_context(|| format!("no file {}", file.display()))?.len();
        let mut bytes = OsString::from(format!("loader,addr={},force-raw=on,file=", address + 16));
        bytes.push(file);
        let length = format!("loader,addr={address},data={length},data-len=4").into();
        self.extra_arguments.extend(["-device".into(), bytes, "-device".into(), length]);
        Ok(self)
    }

    /// Loads a plugin into the emulator, given as `FILE,key=value`.
    #[must_use = "returns the machine with the plugin"]
    pub fn with_plugin(mut self, plugin: &str) -> Self {
        self.extra_arguments.extend(["-plugin".into(), plugin.into()]);
        self
    }

    /// Returns the bytes of the firmware.
    pub(crate) fn elf(&self) -> &[u8] {
        &self.elf
    }

    /// Starts the emulator with its standard output piped.
    ///
    /// # Errors
    ///
    /// Returns an error if QEMU is neither on the `PATH` nor in the cache of `tests/install`, or cannot be started.
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
            .args(&self.extra_arguments)
            .arg("-kernel")
            .arg(&self.firmware)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }
}

/// Returns the field `e_machine` of a little-endian ELF file.
fn elf_machine(elf: &[u8]) -> Option<u16> {
    let bytes = elf.get(18..20).filter(|_| elf.starts_with(b"\x7fELF"))?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

/// Returns the cache folder of `tests/install`.
pub fn cache_folder() -> Option<PathBuf> {
    let folder = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    folder("EXPE_CACHE")
        .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("expe")))
        .or_else(|| folder("HOME").map(|home| home.join(".cache/expe")))
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
    fn the_elf_header_selects_the_emulator() {
        let emulator = |number| Family::from_elf(&elf(number)).unwrap().emulator;
        assert_eq!(emulator(40), "qemu-system-arm");
        assert_eq!(emulator(243), "qemu-system-riscv32");
    }

    #[test]
    fn other_processors_and_other_files_are_rejected() {
        assert!(Family::from_elf(&elf(62)).is_err());
        assert!(Family::from_elf(b"no firmware, only text").is_err());
        assert!(Family::from_elf(b"\x7fELF").is_err());
    }
}
