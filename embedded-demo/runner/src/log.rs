//! Decoding of firmware logs.

use std::io::Write;

use anyhow::{Context as _, Result, ensure};
use defmt_decoder::{DecodeError, StreamDecoder, Table};

/// Reads the format strings from the ELF file of a firmware.
///
/// # Errors
///
/// Returns an error if the file is not a well-formed ELF file, has no `.defmt` section, or was built with an
/// incompatible version of `defmt`.
pub fn format_table(elf: &[u8]) -> Result<Table> {
    Table::parse(elf)?.context("the firmware has no section `.defmt`, so its log cannot be decoded")
}

/// The message that firmware logs when it starts to idle.
const IDLE: &str = "idle";

/// Prints frames as lines with the level (none for `defmt::println!`) and the message.
pub struct LogPrinter<'t, W> {
    decoder: Box<dyn StreamDecoder + Send + Sync + 't>,
    output: W,
    malformed: usize,
    idle: bool,
}

impl<'t, W: Write> LogPrinter<'t, W> {
    /// Creates a printer that decodes frames with the format strings in `table`.
    pub fn new(table: &'t Table, output: W) -> Self {
        Self { decoder: table.new_stream_decoder(), output, malformed: 0, idle: false }
    }

    /// Prints the frames that `bytes` complete. An incomplete frame is kept for the next call.
    ///
    /// # Errors
    ///
    /// Returns an error if the output cannot be written.
    pub fn print(&mut self, bytes: &[u8]) -> Result<()> {
        self.decoder.received(bytes);
        loop {
            match self.decoder.decode() {
                Ok(frame) => {
                    if let Some(level) = frame.level() {
                        write!(self.output, "{:5} ", level.as_str().to_uppercase())?;
                    }
                    let message = frame.display_message().to_string();
                    self.idle = frame.level().is_none() && message == IDLE;
                    writeln!(self.output, "{message}")?;
                }
                Err(DecodeError::UnexpectedEof) => return Ok(self.output.flush()?),
                // The decoder drops the frame and continues after it.
                Err(DecodeError::Malformed) => self.malformed += 1,
            }
        }
    }

    /// Returns whether the last message says that the firmware idles.
    pub const fn idle(&self) -> bool {
        self.idle
    }

    /// Ends the log.
    ///
    /// # Errors
    ///
    /// Returns an error if a frame could not be decoded.
    pub fn finish(self) -> Result<()> {
        ensure!(self.malformed == 0, "{} log frames could not be decoded", self.malformed);
        Ok(())
    }
}
