//! What all Cortex-M boards share: start, faults, the count of instructions.
#![no_std]

mod counter;
mod fault;
mod guard;

use cortex_m::Peripherals;
use expe_demo_app::{Error, Machine, Memory, Moment, Program, Sections};
use expe_demo_platform::{finish, sections, stack};
use portable_atomic as _; // brings compare-and-swap, in a critical section

use counter::Counter;

/// Runs the demos `D` on a processor with a clock of `clock` Hz, and ends the emulation, or idles
/// after logging what went wrong.
pub fn run<D: Program, const WORDS: usize>(memory: &'static Memory<D, WORDS>, clock: u32) -> ! {
    measure(clock, |machine| expe_demo_app::run(memory, machine))
}

/// Runs `work` on a processor with a clock of `clock` Hz, and ends the emulation, or idles after
/// logging what went wrong.
pub fn measure(clock: u32, work: impl FnOnce(&CortexM) -> Result<(), Error>) -> ! {
    let counter = prepare().and_then(|peripherals| Counter::start(peripherals.SYST, clock));
    finish(work(&CortexM { counter }))
}

/// Recurses until the stack is full, to see that this is noticed.
pub fn overflow() -> ! {
    prepare();
    stack::overflow()
}

fn prepare() -> Option<Peripherals> {
    let peripherals = Peripherals::take()?;
    guard::set(&peripherals.MPU);
    Some(peripherals)
}

/// A Cortex-M processor.
pub struct CortexM {
    counter: Option<Counter>,
}

impl Machine for CortexM {
    fn now(&self) -> Moment {
        counter::now()
    }

    fn instructions(&self, from: Moment, to: Moment) -> Option<u64> {
        Some(self.counter.as_ref()?.instructions(from, to))
    }

    fn stack_used(&self) -> usize {
        stack::used()
    }

    fn stack_size(&self) -> usize {
        stack::size()
    }

    fn sections(&self) -> Sections {
        sections()
    }
}
