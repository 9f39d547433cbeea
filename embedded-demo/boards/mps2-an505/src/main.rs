//! Arm MPS2+ with FPGA image AN505: Cortex-M33, as QEMU's machine `mps2-an505` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, Pocket, Program, Stories};

/// The processor's clock, in Hz.
const CLOCK: u32 = 20_000_000;

type Demos = (Pocket, Stories);

static MEMORY: Memory<Demos, { <Demos as Program>::WORDS }> = Memory::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(&MEMORY, CLOCK)
}
