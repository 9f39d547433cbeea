//! QEMU's RISC-V machine: riscv32imac, as QEMU's machine `virt` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, POCKET, STORIES, largest};

// The demos use the same memory, one after the other.
const WORDS: usize = largest(&[POCKET.words(), STORIES.words()]);
static MEMORY: Memory<WORDS> = Memory::new([0; WORDS]);

#[riscv_rt::entry]
fn main() -> ! {
    expe_demo_riscv::run(&MEMORY, |memory, counter| {
        POCKET.tell(memory, counter)?;
        STORIES.tell(memory, counter)
    })
}
