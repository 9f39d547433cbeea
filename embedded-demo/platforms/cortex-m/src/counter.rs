//! The count of executed instructions, from the system timer that every Cortex-M has.
//!
//! With `-icount shift=8` QEMU's virtual time advances by 2⁸ ns with every instruction, and the timer
//! counts the processor's clock, 16 MHz and more, in virtual time: at least four ticks per
//! instruction, so that the number of instructions follows exactly. It includes the timer's own
//! handler, a dozen instructions in a few hundred thousand.

use core::arch::asm;
use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m_rt::exception;

/// Instructions that QEMU executes in a second of virtual time.
const INSTRUCTIONS_PER_SECOND: u64 = 1_000_000_000 >> 8;

/// The timer has 24 bits.
const PERIOD: u64 = 1 << 24;

/// Times that the timer has run down.
static PERIODS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    PERIODS.store(PERIODS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// A running timer, and how to read instructions off it.
pub struct Counter {
    clock: NonZeroU64,
}

impl Counter {
    /// Starts counting on a processor with a clock of `clock` Hz; `None` where time does not follow
    /// the instructions, as on real hardware.
    pub fn start(mut timer: SYST, clock: u32) -> Option<Self> {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload((PERIOD - 1) as u32);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        let counter = Self { clock: NonZeroU64::new(u64::from(clock))? };
        let (long, short) = (counter.instructions(spin(5_000)), counter.instructions(spin(1_000)));
        (long.checked_sub(short) == Some(2 * 4_000)).then_some(counter)
    }

    /// Instructions in so many ticks.
    pub fn instructions(&self, ticks: u64) -> u64 {
        (ticks * INSTRUCTIONS_PER_SECOND + self.clock.get() / 2) / self.clock
    }
}

/// The timer's ticks since it was started. It takes the same instructions every time.
#[inline(never)]
pub fn ticks() -> u64 {
    let (periods, left) = loop {
        let periods = PERIODS.load(Ordering::Relaxed);
        let left = SYST::get_current();
        if PERIODS.load(Ordering::Relaxed) == periods {
            break (periods, left);
        }
    };
    u64::from(periods) * PERIOD + (PERIOD - u64::from(left))
}

/// The ticks of two instructions per round, and always as many around them.
#[inline(never)]
fn spin(rounds: u32) -> u64 {
    let before = ticks();
    // SAFETY: only counts down a register.
    unsafe {
        asm!("2:", "subs {n}, #1", "bne 2b", n = inout(reg) rounds => _, options(nomem, nostack));
    }
    ticks() - before
}
