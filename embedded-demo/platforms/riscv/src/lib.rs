//! Code shared by all RISC-V boards: start-up, traps, the stack guard, and the instruction counter.
#![no_std]

mod guard;
mod trap;

use expe_demo_app::{Error, InstructionCounter, Memory, Moment};
use expe_demo_platform::stack;
use riscv::register::minstret;

pub use expe_demo_platform::loaded_model;

/// Runs `work` in `memory` and ends the emulation. If `work` fails, logs the error and idles.
pub fn run<const WORDS: usize>(
    memory: &'static Memory<WORDS>,
    work: impl FnOnce(&mut [u32], &RiscV) -> Result<(), Error>,
) -> ! {
    prepare();
    expe_demo_platform::run(memory, &RiscV, work)
}

/// Recurses until the stack overflows, to test that the overflow is detected.
pub fn overflow() -> ! {
    prepare();
    stack::overflow()
}

fn prepare() {
    // SAFETY: called at the start of `main`, before interrupts are enabled.
    unsafe { stack::paint() };
    guard::protect_flash();
}

/// The instruction counter of a RISC-V processor. In QEMU, it counts instructions with `-icount shift=0`.
#[derive(Debug)]
pub struct RiscV;

impl InstructionCounter for RiscV {
    fn now(&self) -> Moment {
        Moment { ticks: minstret::read64(), interrupts: 0 }
    }

    fn instructions(&self, from: Moment, to: Moment) -> Option<u64> {
        Some(to.ticks.wrapping_sub(from.ticks))
    }
}
