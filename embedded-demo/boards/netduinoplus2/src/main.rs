//! Netduino Plus 2: Cortex-M4F, as QEMU's machine `netduinoplus2` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, Pocket, Program, Stories};

/// The processor's clock, in Hz.
const CLOCK: u32 = 168_000_000;

type Demos = (Pocket, Stories);

static MEMORY: Memory<Demos, { <Demos as Program>::WORDS }> = Memory::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(&MEMORY, CLOCK)
}
