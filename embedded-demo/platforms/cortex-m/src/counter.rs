//! Counts executed instructions with the system timer that every Cortex-M has.
//!
//! With `-icount shift=8`, the virtual time of QEMU advances by 2⁸ ns per instruction. The timer counts cycles of the
//! processor's clock, at least 16 MHz, in virtual time. So there are at least four ticks per instruction, which
//! determine the number of instructions exactly. The timer interrupts the program whenever it reaches zero. An
//! interrupt always takes the same number of instructions, which is subtracted.

use core::arch::asm;
use core::num::NonZeroU64;
use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::{SYST, syst::SystClkSource};
use cortex_m_rt::exception;
use expe_demo_app::Moment;

/// Number of instructions that QEMU executes per second of virtual time.
const INSTRUCTIONS_PER_SECOND: u64 = 1_000_000_000 >> 8;

/// Period of the timer in ticks; it has 24 bits.
const PERIOD: u64 = 1 << 24;

/// Number of times the timer has reached zero.
static PERIODS: AtomicU32 = AtomicU32::new(0);

#[exception]
fn SysTick() {
    PERIODS.store(PERIODS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// A running timer, and the factors to convert its ticks to instructions.
pub struct Counter {
    /// Frequency of the processor's clock in Hz.
    clock: NonZeroU64,
    /// Number of instructions that an interrupt takes.
    interrupt: u64,
}

impl Counter {
    /// Starts the timer of a processor with a clock of `clock` Hz. Returns `None` if time does not advance with the
    /// executed instructions, as on real hardware.
    pub fn start(mut timer: SYST, clock: u32) -> Option<Self> {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload((PERIOD - 1) as u32);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        let clock = NonZeroU64::new(u64::from(clock))?;
        let counter = Self { clock, interrupt: 0 };
        let exactly = |counter: &Self, rounds| {
            let (many, few) = (counter.spin(rounds), counter.spin(1_000));
            (many.0.checked_sub(few.0 + 2 * u64::from(rounds - 1_000)), many.1)
        };
        if exactly(&counter, 5_000) != (Some(0), 0) {
            return None;
        }
        // Long enough for at least one interrupt; then for several, to check that all take the same number of
        // instructions.
        let rounds = (PERIOD * INSTRUCTIONS_PER_SECOND / clock) as u32;
        let (Some(excess), interrupts @ 1..) = exactly(&counter, rounds) else { return None };
        let counter = Self { clock, interrupt: excess / u64::from(interrupts) };
        matches!(exactly(&counter, 3 * rounds), (Some(0), 2..)).then_some(counter)
    }

    /// Returns the number of instructions between two moments.
    pub fn instructions(&self, from: Moment, to: Moment) -> u64 {
        let ticks = to.ticks.wrapping_sub(from.ticks);
        let all = (ticks * INSTRUCTIONS_PER_SECOND + self.clock.get() / 2) / self.clock;
        let interrupts = to.interrupts.wrapping_sub(from.interrupts);
        all.saturating_sub(u64::from(interrupts) * self.interrupt)
    }

    /// Executes a loop of two instructions `rounds` times. Returns the number of instructions, including a constant
    /// number around the loop, and the number of interrupts.
    #[inline(never)]
    fn spin(&self, rounds: u32) -> (u64, u32) {
        let before = now();
        // SAFETY: only decrements a register.
        unsafe {
            asm!("2:", "subs {n}, #1", "bne 2b", n = inout(reg) rounds => _, options(nomem, nostack));
        }
        let after = now();
        (self.instructions(before, after), after.interrupts.wrapping_sub(before.interrupts))
    }
}

/// Returns the ticks since the timer was started. Unless interrupted, this always takes the same number of
/// instructions.
#[inline(never)]
pub fn now() -> Moment {
    let (interrupts, left) = loop {
        let periods = PERIODS.load(Ordering::Relaxed);
        let left = SYST::get_current();
        if PERIODS.load(Ordering::Relaxed) == periods {
            break (periods, left);
        }
    };
    let ticks = u64::from(interrupts) * PERIOD + (PERIOD - u64::from(left));
    Moment { ticks, interrupts }
}
