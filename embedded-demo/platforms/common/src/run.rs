//! Runs a program until it succeeds, which ends the emulation, or fails, after which it idles.

use core::arch::asm;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use expe_demo_app::{Error, Memory};
use semihosting::process::ExitCode;

use crate::{Fault, memory};

/// Runs `work` in `buffers`, logs flash and RAM usage, and ends the emulation. If `work` fails, logs the error and
/// idles.
pub fn run<C, const WORDS: usize>(
    buffers: &'static Memory<WORDS>,
    counter: &C,
    work: impl FnOnce(&mut [u32], &C) -> Result<(), Error>,
) -> ! {
    let result = match buffers.try_take() {
        Some(words) => work(words, counter),
        None => Err(Error::MemoryTaken),
    };
    if let Err(error) = result {
        defmt::error!("{}", error);
        idle()
    }
    memory::log(WORDS * size_of::<u32>());
    ExitCode::SUCCESS.exit_process()
}

/// Logs that the program idles, and sleeps with interrupts disabled: the safe state after an error.
pub fn idle() -> ! {
    defmt::println!("idle");
    // SAFETY: the critical section is never released, because this function does not return.
    let _ = unsafe { critical_section::acquire() };
    loop {
        // SAFETY: only waits for an interrupt.
        unsafe { asm!("wfi", options(nomem, nostack, preserves_flags)) };
    }
}

impl Fault<'_> {
    /// Logs the fault and idles. A second fault, for example in the log itself, is not logged.
    pub fn end(self) -> ! {
        static FAILED: AtomicBool = AtomicBool::new(false);
        if FAILED.load(Ordering::Relaxed) {
            loop {
                core::hint::spin_loop();
            }
        }
        FAILED.store(true, Ordering::Relaxed);
        defmt::error!("{}", self);
        idle()
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let (file, line) = info.location().map_or(("", 0), |at| (at.file(), at.line()));
    Fault::Panic { file, line }.end()
}
