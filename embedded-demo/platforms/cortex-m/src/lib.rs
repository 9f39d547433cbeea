//! What all Cortex-M boards share: the log over semihosting, faults, the stack, the way out.
#![no_std]

mod stack;

use core::panic::PanicInfo;

use cortex_m as _; // brings the critical section of a single core
use cortex_m_rt::{ExceptionFrame, exception};
use defmt_semihosting as _; // brings the log transport
use semihosting::process::ExitCode;

/// Runs the demo and ends the emulation: successfully, or after logging what went wrong.
pub fn main() -> ! {
    match expe_demo_app::run(stack::used) {
        Ok(()) => ExitCode::SUCCESS.exit_process(),
        Err(error) => {
            defmt::error!("{}", error);
            ExitCode::FAILURE.exit_process()
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(at) => defmt::error!("panic at {=str}:{=u32}", at.file(), at.line()),
        None => defmt::error!("panic"),
    }
    ExitCode::FAILURE.exit_process()
}

// SAFETY: the handler only reads the frame that the processor has stacked, logs and leaves.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    defmt::error!("hard fault at {=u32:#010x}", frame.pc());
    ExitCode::FAILURE.exit_process()
}
