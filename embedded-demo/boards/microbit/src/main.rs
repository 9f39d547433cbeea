//! BBC micro:bit: Cortex-M0, as QEMU's machine `microbit` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, Pocket, Program, memory};

/// The processor's clock, in Hz.
const CLOCK: u32 = 16_000_000;

type Demos = Pocket;

static MEMORY: Memory<{ Demos::WORDS }> = memory();

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run::<Demos, _>(&MEMORY, CLOCK)
}
