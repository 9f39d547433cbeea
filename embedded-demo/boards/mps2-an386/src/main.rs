//! Arm MPS2 with the FPGA image AN386: a Cortex-M4F, as QEMU's machine `mps2-an386` emulates it.
//!
//! All that depends on the board is here: the entry point, the log transport (semihosting), the
//! exit and what happens after a fault.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

use cortex_m as _; // brings the critical section of a single core
use cortex_m_rt::{ExceptionFrame, entry, exception};
use defmt_semihosting as _; // brings the log transport
use semihosting::process::ExitCode;

#[entry]
fn main() -> ! {
    expe_demo_app::run();
    ExitCode::SUCCESS.exit_process()
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(at) => defmt::error!("panic at {=str}:{=u32}", at.file(), at.line()),
        None => defmt::error!("panic"),
    }
    ExitCode::FAILURE.exit_process()
}

// SAFETY: the handler only reads the frame that the processor stacked, logs and leaves.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    defmt::error!("hard fault at {=u32:#010x}", frame.pc());
    ExitCode::FAILURE.exit_process()
}
