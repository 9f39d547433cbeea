//! Arm MPS2+ with FPGA image AN386: Cortex-M4F, as QEMU's machine `mps2-an386` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, POCKET, STORIES, STORIES_IN_FLOATS, largest};

/// Frequency of the processor's clock, in Hz.
const CLOCK: u32 = 25_000_000;

// The demos use the same memory, one after the other.
const WORDS: usize = largest(&[POCKET.words(), STORIES.words(), STORIES_IN_FLOATS.words()]);
static MEMORY: Memory<WORDS> = Memory::new([0; WORDS]);

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(CLOCK, &MEMORY, |memory, counter| {
        POCKET.tell(memory, counter)?;
        STORIES.tell(memory, counter)?;
        STORIES_IN_FLOATS.tell(memory, counter)
    })
}
