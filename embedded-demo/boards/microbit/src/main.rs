//! BBC micro:bit: Cortex-M0, as QEMU's machine `microbit` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, Pocket, Program};

/// The processor's clock, in Hz.
const CLOCK: u32 = 16_000_000;

type Demos = Pocket;

static MEMORY: Memory<Demos, { Demos::WORDS }> = Memory::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(&MEMORY, CLOCK)
}
