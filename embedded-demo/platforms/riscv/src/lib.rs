//! What all RISC-V boards share: start, traps, the guard of the stack, the count of instructions.
#![no_std]

mod guard;
mod trap;

use expe_demo_app::{Machine, Memory, Program, Sections};
use expe_demo_platform::{finish, sections, stack};
use riscv::register::minstret;

/// Runs the demos `D`, and ends the emulation, or idles after logging what went wrong.
pub fn run<D: Program, const WORDS: usize>(memory: &'static Memory<D, WORDS>) -> ! {
    prepare();
    finish(expe_demo_app::run(memory, &RiscV))
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
struct RiscV;

impl Machine for RiscV {
    /// The processor counts its instructions; so does QEMU with `-icount shift=0`.
    fn ticks(&self) -> u64 {
        minstret::read64()
    }

    fn instructions(&self, ticks: u64) -> Option<u64> {
        Some(ticks)
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
