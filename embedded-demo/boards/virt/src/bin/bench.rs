//! Counts the instructions of the engine; see `expe_demo_app::bench`.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, bench};

const WORDS: usize = bench::INTEGER_WORDS;
static MEMORY: Memory<WORDS> = Memory::new([0; WORDS]);

#[riscv_rt::entry]
fn main() -> ! {
    expe_demo_riscv::run(&MEMORY, |memory, counter| {
        bench::integers(expe_demo_riscv::loaded_model(), memory, counter)
    })
}
