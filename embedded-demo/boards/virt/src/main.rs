//! QEMU's RISC-V machine: riscv32imac, as QEMU's machine `virt` emulates it.
#![no_std]
#![no_main]

use expe_demo_app::{Memory, Pocket, Program, Stories, memory};

type Demos = (Pocket, Stories);

static MEMORY: Memory<{ <Demos as Program>::WORDS }> = memory();

#[riscv_rt::entry]
fn main() -> ! {
    expe_demo_riscv::run::<Demos, _>(&MEMORY)
}
