//! What all RISC-V boards share: start, traps, the guard of the stack, the count of instructions.
#![no_std]

mod guard;
mod trap;

use expe_demo_app::{Error, Machine, Memory, Moment, Program, Sections};
use expe_demo_platform::{finish, sections, stack};
use riscv::register::minstret;

/// Runs the demos `D`, and ends the emulation, or idles after logging what went wrong.
pub fn run<D: Program, const WORDS: usize>(memory: &'static Memory<D, WORDS>) -> ! {
    prepare();
    finish(expe_demo_app::run(memory, &RiscV))
}

/// Runs `work`, and ends the emulation, or idles after logging what went wrong.
pub fn measure(work: impl FnOnce(&RiscV) -> Result<(), Error>) -> ! {
    prepare();
    finish(work(&RiscV))
}

/// Recurses until the stack is full, to see that this is noticed.
pub fn overflow() -> ! {
    prepare();
    stack::overflow()
}

fn prepare() {
    // SAFETY: `main` has just begun.
    unsafe { stack::paint() };
    guard::protect_flash();
}

/// A RISC-V processor.
#[derive(Debug)]
pub struct RiscV;

impl Machine for RiscV {
    /// The processor counts its instructions; so does QEMU with `-icount shift=0`.
    fn now(&self) -> Moment {
        Moment { ticks: minstret::read64(), interrupts: 0 }
    }

    fn instructions(&self, from: Moment, to: Moment) -> Option<u64> {
        Some(to.ticks.wrapping_sub(from.ticks))
    }

    fn stack_used(&self) -> usize {
        stack::used()
    }

    fn stack_size(&self) -> usize {
        stack::size()
    }

    fn sections(&self) -> Sections {
        sections()
    }
}
