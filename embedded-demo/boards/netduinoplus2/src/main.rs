//! Netduino Plus 2: Cortex-M4F, emulated by the QEMU machine `netduinoplus2`.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, POCKET, STORIES, largest};

/// Frequency of the processor's clock, in Hz.
const CLOCK: u32 = 168_000_000;

// The demos run one after the other in the same memory.
const WORDS: usize = largest(&[POCKET.words(), STORIES.words()]);
static MEMORY: Memory<WORDS> = Memory::new([0; WORDS]);

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(CLOCK, &MEMORY, |memory, counter| {
        POCKET.run(memory, counter)?;
        STORIES.run(memory, counter)
    })
}
