//! The guard of the stack: flash, below the stack (see a board's `memory.x`), is made read-only.

use riscv::register::{Permission, Range, pmpaddr0, pmpcfg0};

// From a board's `memory.x`.
unsafe extern "C" {
    static _flash_start: u8;
    static _flash_size: u8;
}

/// Makes stores to flash fault, for this privilege level too, until the next reset. On hardware it is
/// read-only anyway.
pub fn protect_flash() {
    let (start, size) = ((&raw const _flash_start).addr(), (&raw const _flash_size).addr());
    // SAFETY: reads and execution stay allowed, and nothing writes there. The start is a multiple
    // of the size, a power of two: the low bits of the entry say which.
    unsafe {
        pmpaddr0::write((start >> 2) | ((size / 2 - 1) >> 2));
        pmpcfg0::set_pmp(0, Range::NAPOT, Permission::RX, true);
    }
}
