//! What all RISC-V boards share: start, traps, the stack guard, the instruction counter.
#![no_std]

mod guard;
mod trap;

use expe_demo_app::{Error, InstructionCounter, Memory, Moment};
use expe_demo_platform::stack;
use riscv::register::minstret;

pub use expe_demo_platform::loaded_model;

/// Runs `work` in `memory` and ends the emulation; logs an error and idles if `work` returns one.
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
    // SAFETY: `main` has just begun.
    unsafe { stack::paint() };
    guard::protect_flash();
}

/// The instruction counter of a RISC-V processor. QEMU's counts instructions with `-icount shift=0`.
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
