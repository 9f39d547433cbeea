//! QEMU's RISC-V machine: riscv32imac, as QEMU's machine `virt` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, Pocket, Program, Stories};

type Demos = (Pocket, Stories);

static MEMORY: Memory<Demos, { <Demos as Program>::WORDS }> = Memory::new();

#[riscv_rt::entry]
fn main() -> ! {
    expe_demo_riscv::run(&MEMORY)
}
