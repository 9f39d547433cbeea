//! Tells a story of 20 000 tokens in the memory of 64.
#![no_std]
#![no_main]

use expe_demo_app::{Endless, Memory, Program};

/// The processor's clock, in Hz.
const CLOCK: u32 = 25_000_000;

static MEMORY: Memory<Endless, { Endless::WORDS }> = Memory::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(&MEMORY, CLOCK)
}
