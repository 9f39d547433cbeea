//! Arm MPS3 with FPGA image AN547: Cortex-M55, as QEMU's machine `mps3-an547` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, Pocket, Program, Stories};

/// The processor's clock, in Hz.
const CLOCK: u32 = 32_000_000;

type Demos = (Pocket, Stories);

static MEMORY: Memory<Demos, { <Demos as Program>::WORDS }> = Memory::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(&MEMORY, CLOCK)
}
