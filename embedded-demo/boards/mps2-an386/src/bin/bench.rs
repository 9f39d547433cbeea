//! Counts instructions; see `expe_demo_app::bench`.
#![no_std]
#![no_main]

use expe_demo_app::{Error, bench};
use static_cell::ConstStaticCell;

/// The processor's clock, in Hz.
const CLOCK: u32 = 25_000_000;

/// Where the emulator loads a model: memory of the board that the linker does not know.
const MODEL: usize = 0x2100_0000;

/// Whether it computes in floats too.
const FLOATS: bool = true;

const WORDS: usize = bench::words(FLOATS);

static MEMORY: ConstStaticCell<[u32; WORDS]> = ConstStaticCell::new([0; WORDS]);

#[cortex_m_rt::entry]
fn main() -> ! {
    expe_demo_cortex_m::measure(CLOCK, |machine| {
        // SAFETY: nothing else uses this memory.
        let file = unsafe { expe_demo_platform::loaded(MODEL) };
        let memory = MEMORY.try_take().ok_or(Error::Running)?;
        bench::run::<FLOATS>(file, memory, machine)
    })
}
