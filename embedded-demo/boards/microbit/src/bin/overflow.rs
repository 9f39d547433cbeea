//! Overflows the stack, to see that the board notices.
#![no_std]
#![no_main]

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::overflow()
}
