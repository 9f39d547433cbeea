//! How deep the stack has been.

use cortex_m_rt::STACK_PAINT_VALUE;

// The ends of the stack, from the linker script of `cortex-m-rt`; it grows down from `_stack_start`.
unsafe extern "C" {
    static _stack_start: u32;
    static _stack_end: u32;
}

/// Bytes of stack that were ever in use. The start-up code fills the stack with one value; what
/// still has it, from the far end on, was never written.
pub fn used() -> usize {
    let (start, end) = (&raw const _stack_start, &raw const _stack_end);
    let mut deepest = end;
    // SAFETY: the linker script puts both ends, aligned, into RAM, and the start-up code has written
    // every word between them. The loop stops at the first word in use, at the latest in its own
    // frame.
    while deepest < start && unsafe { deepest.read_volatile() } == STACK_PAINT_VALUE {
        deepest = deepest.wrapping_add(1);
    }
    start.addr() - deepest.addr()
}
