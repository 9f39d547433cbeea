//! Arm MPS2+ with the FPGA image AN386: a Cortex-M4F, as QEMU's machine `mps2-an386` emulates it.
#![no_std]
#![no_main]

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::main()
}
