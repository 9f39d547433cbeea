//! Arm MPS3 with FPGA image AN547: Cortex-M55, as QEMU's machine `mps3-an547` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, Pocket, Program, Stories, memory};

/// The processor's clock, in Hz.
const CLOCK: u32 = 32_000_000;

type Demos = (Pocket, Stories);

static MEMORY: Memory<{ <Demos as Program>::WORDS }> = memory();

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run::<Demos, _>(&MEMORY, CLOCK)
}
