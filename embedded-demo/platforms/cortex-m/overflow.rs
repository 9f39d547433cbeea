//! Overflows the stack, to test that the board detects it. Every board of this platform builds this file
//! as its binary `BOARD-overflow`.
#![no_std]
#![no_main]

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::overflow()
}
