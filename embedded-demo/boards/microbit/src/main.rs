//! BBC micro:bit: Cortex-M0, emulated by the QEMU machine `microbit`.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, POCKET};

/// Frequency of the processor's clock, in Hz.
const CLOCK: u32 = 16_000_000;

const WORDS: usize = POCKET.words();
static MEMORY: Memory<WORDS> = Memory::new([0; WORDS]);

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(CLOCK, &MEMORY, |memory, counter| POCKET.run(memory, counter))
}
