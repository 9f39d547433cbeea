//! The two ways in which the demo ends.

use core::arch::asm;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use semihosting::process::ExitCode;

use crate::Fault;

/// Ends the emulation when all went well; otherwise logs what did not, and idles.
pub fn finish(result: Result<(), expe_demo_app::Error>) -> ! {
    match result {
        Ok(()) => ExitCode::SUCCESS.exit_process(),
        Err(error) => {
            defmt::error!("{}", error);
            idle()
        }
    }
}

/// The safe state after an error: says so, then sleeps for good with interrupts off.
pub fn idle() -> ! {
    defmt::println!("idle");
    // SAFETY: never released, since nothing runs after this.
    let _ = unsafe { critical_section::acquire() };
    loop {
        // SAFETY: waits, and changes nothing.
        unsafe { asm!("wfi", options(nomem, nostack, preserves_flags)) };
    }
}

impl Fault<'_> {
    /// Logs the fault and idles. A second fault, as when the log itself has failed, only idles.
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
