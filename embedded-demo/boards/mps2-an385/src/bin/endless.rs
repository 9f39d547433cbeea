//! Generates 20 000 tokens with a cache of 64 positions.
#![no_std]
#![no_main]

use expe_demo_app::{ENDLESS, Memory};

/// Frequency of the processor's clock, in Hz.
const CLOCK: u32 = 25_000_000;

const WORDS: usize = ENDLESS.words();
static MEMORY: Memory<WORDS> = Memory::new([0; WORDS]);

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(CLOCK, &MEMORY, |memory, counter| ENDLESS.run(memory, counter))
}
