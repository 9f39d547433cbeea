//! Code shared by all Cortex-M boards: start-up, faults, and the instruction counter.
#![no_std]

mod counter;
mod fault;
mod guard;

use cortex_m::Peripherals;
use expe_demo_app::{Error, InstructionCounter, Memory, Moment};
use expe_demo_platform::stack;
use portable_atomic as _; // compare-and-swap for Cortex-M0

pub use expe_demo_platform::loaded_model;

use counter::Counter;

/// Runs `work` in `memory` on a processor with a clock of `clock` Hz, and ends the emulation. If `work` fails, logs the
/// error and idles.
pub fn run<const WORDS: usize>(
    clock: u32,
    memory: &'static Memory<WORDS>,
    work: impl FnOnce(&mut [u32], &CortexM) -> Result<(), Error>,
) -> ! {
    let counter = prepare().and_then(|peripherals| Counter::start(peripherals.SYST, clock));
    expe_demo_platform::run(memory, &CortexM { counter }, work)
}

/// Recurses until the stack overflows, to test that the overflow is detected.
pub fn overflow() -> ! {
    prepare();
    stack::overflow()
}

fn prepare() -> Option<Peripherals> {
    let peripherals = Peripherals::take()?;
    guard::set(&peripherals.MPU);
    Some(peripherals)
}

/// The instruction counter of a Cortex-M processor.
pub struct CortexM {
    counter: Option<Counter>,
}

impl InstructionCounter for CortexM {
    fn now(&self) -> Moment {
        counter::now()
    }

    fn instructions(&self, from: Moment, to: Moment) -> Option<u64> {
        Some(self.counter.as_ref()?.instructions(from, to))
    }
}
