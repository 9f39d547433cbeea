//! Counts the instructions of the engine; see `expe_demo_app::bench`.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, bench};

/// Frequency of the processor's clock, in Hz.
const CLOCK: u32 = 20_000_000;

const WORDS: usize = bench::INTEGER_WORDS;
static MEMORY: Memory<WORDS> = Memory::new([0; WORDS]);

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(CLOCK, &MEMORY, |memory, counter| {
        bench::integers(expe_demo_cortex_m::loaded_model(), memory, counter)
    })
}
