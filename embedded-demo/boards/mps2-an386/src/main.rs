//! Arm MPS2+ with FPGA image AN386: Cortex-M4F, as QEMU's machine `mps2-an386` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, Pocket, Program, Stories, StoriesInFloats};

/// The processor's clock, in Hz.
const CLOCK: u32 = 25_000_000;

type Demos = (Pocket, (Stories, StoriesInFloats));

static MEMORY: Memory<Demos, { <Demos as Program>::WORDS }> = Memory::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(&MEMORY, CLOCK)
}
