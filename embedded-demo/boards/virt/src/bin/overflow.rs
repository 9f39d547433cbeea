//! Overflows the stack, to see that the board notices.
#![no_std]
#![no_main]

#[riscv_rt::entry]
fn main() -> ! {
    expe_demo_riscv::overflow()
}
