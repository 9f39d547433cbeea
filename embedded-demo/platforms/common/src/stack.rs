//! The stack: its bounds, and how much of it was used.

/// The word that fills the unused stack; the same as in the start-up code of `cortex-m-rt`.
const PAINT: u32 = 0xcccc_cccc;

// The bounds of the stack, defined in the `memory.x` of the board. It grows down from `_stack_start`.
unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Returns the lowest address of the stack.
pub fn end() -> usize {
    (&raw const _stack_end).addr()
}

/// Returns the size of the stack in bytes.
pub fn size() -> usize {
    (&raw const _stack_start).addr() - end()
}

/// Fills the stack below the caller's frame with [`PAINT`], for platforms whose start-up code does not.
///
/// # Safety
/// Must be called in `main`, before interrupts are enabled.
#[inline(never)]
pub unsafe fn paint() {
    let here = 0u32;
    let mut word = (&raw const _stack_end).cast_mut();
    // Excludes the stack that this function itself may use.
    let stop = (&raw const here).wrapping_sub(64);
    while word.cast_const() < stop {
        // SAFETY: aligned, within the stack, and below every frame in use.
        unsafe { word.write_volatile(PAINT) };
        word = word.wrapping_add(1);
    }
}

/// Returns the maximum number of bytes that were in use: all except the words at the end that still contain [`PAINT`].
pub fn used() -> usize {
    let (start, end) = (&raw const _stack_start, &raw const _stack_end);
    let mut deepest = end;
    // SAFETY: `memory.x` places both bounds in RAM, aligned, and every word between them is initialized. The loop
    // stops at the first used word, at the latest in its own frame.
    while deepest < start && unsafe { deepest.read_volatile() } == PAINT {
        deepest = deepest.wrapping_add(1);
    }
    start.addr() - deepest.addr()
}

/// Recurses until the stack overflows, to test that the overflow is detected.
pub fn overflow() -> ! {
    let depth = descend(1);
    defmt::error!("{=u32} levels deep without a stack overflow", depth);
    semihosting::process::ExitCode::SUCCESS.exit_process()
}

/// Recurses forever and uses 256 bytes of stack per level.
#[expect(unconditional_recursion, reason = "it is meant to overflow the stack")]
#[inline(never)]
fn descend(level: u32) -> u32 {
    let frame = core::hint::black_box([level; 64]);
    descend(level.wrapping_add(1)).wrapping_add(frame.iter().fold(0, |sum, x| sum ^ x))
}
