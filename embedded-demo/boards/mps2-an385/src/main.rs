//! Arm MPS2+ with FPGA image AN385: Cortex-M3, as QEMU's machine `mps2-an385` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, Pocket, Program, Stories};

/// The processor's clock, in Hz.
const CLOCK: u32 = 25_000_000;

type Demos = (Pocket, Stories);

static MEMORY: Memory<Demos, { <Demos as Program>::WORDS }> = Memory::new();

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::run(&MEMORY, CLOCK)
}
