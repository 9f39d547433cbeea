//! How deep the stack has been.

/// What memory of the stack holds before it is used; the start-up code of `cortex-m-rt` writes the
/// same.
const PAINT: u32 = 0xcccc_cccc;

// The ends of the stack, from each board's `memory.x`; it grows down from `_stack_start`.
unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// The lowest address of the stack's memory.
pub fn end() -> usize {
    (&raw const _stack_end).addr()
}

/// Bytes of the stack's memory.
pub fn size() -> usize {
    (&raw const _stack_start).addr() - end()
}

/// Fills what lies below the caller's frame, where the start-up code has not done so.
///
/// # Safety
/// To be called in `main`, before interrupts are enabled.
#[inline(never)]
pub unsafe fn paint() {
    let here = 0u32;
    let mut word = (&raw const _stack_end).cast_mut();
    // Leaves alone what this function itself may use.
    let stop = (&raw const here).wrapping_sub(64);
    while word.cast_const() < stop {
        // SAFETY: aligned, in the stack's memory, and below every frame that is in use.
        unsafe { word.write_volatile(PAINT) };
        word = word.wrapping_add(1);
    }
}

/// Bytes of stack that were ever in use: what still has the paint, from the far end on, was never
/// written.
pub fn used() -> usize {
    let (start, end) = (&raw const _stack_start, &raw const _stack_end);
    let mut deepest = end;
    // SAFETY: `memory.x` puts both ends, aligned, into RAM, and every word between them has been
    // painted. The loop stops at the first word in use, at the latest in its own frame.
    while deepest < start && unsafe { deepest.read_volatile() } == PAINT {
        deepest = deepest.wrapping_add(1);
    }
    start.addr() - deepest.addr()
}

/// Recurses until the stack is full, to see that this is noticed.
pub fn overflow() -> ! {
    let depth = descend(1);
    defmt::error!("{=u32} levels deep, and no overflow was noticed", depth);
    semihosting::process::ExitCode::SUCCESS.exit_process()
}

/// Uses 256 bytes per level.
#[expect(unconditional_recursion, reason = "that is what it is for")]
#[inline(never)]
fn descend(level: u32) -> u32 {
    let frame = core::hint::black_box([level; 64]);
    descend(level.wrapping_add(1)).wrapping_add(frame.iter().fold(0, |sum, x| sum ^ x))
}
