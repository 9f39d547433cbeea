//! The QEMU machine `virt` with a riscv32imac processor.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, POCKET, STORIES, largest};

// The demos run one after the other in the same memory.
const WORDS: usize = largest(&[POCKET.words(), STORIES.words()]);
static MEMORY: Memory<WORDS> = Memory::new([0; WORDS]);

#[riscv_rt::entry]
fn main() -> ! {
    expe_demo_riscv::run(&MEMORY, |memory, counter| {
        POCKET.run(memory, counter)?;
        STORIES.run(memory, counter)
    })
}
