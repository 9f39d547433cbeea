//! Netduino Plus 2: Cortex-M4F, as QEMU's machine `netduinoplus2` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, POCKET, STORIES, largest};

/// Frequency of the processor's clock, in Hz.
const CLOCK: u32 = 168_000_000;

// The demos use the same memory, one after the other.
const WORDS: usize = largest(&[POCKET.words(), STORIES.words()]);
static MEMORY: Memory<WORDS> = Memory::new([0; WORDS]);

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(CLOCK, &MEMORY, |memory, counter| {
        POCKET.tell(memory, counter)?;
        STORIES.tell(memory, counter)
    })
}
