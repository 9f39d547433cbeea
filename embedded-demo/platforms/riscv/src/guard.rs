//! Guards the end of the stack: makes flash, which lies below it (see the boards' `memory.x`), read-only.

use riscv::register::{Permission, Range, pmpaddr0, pmpcfg0};

// From the board's `memory.x`.
unsafe extern "C" {
    static _flash_start: u8;
    static _flash_size: u8;
}

/// Makes stores to flash fault until the next reset, at every privilege level. Real flash is read-only
/// anyway.
pub fn protect_flash() {
    let (start, size) = ((&raw const _flash_start).addr(), (&raw const _flash_size).addr());
    // SAFETY: reading and executing stay allowed, and nothing writes there. The start is a multiple
    // of the size, a power of two, which the low bits of the entry encode.
    unsafe {
        pmpaddr0::write((start >> 2) | ((size / 2 - 1) >> 2));
        pmpcfg0::set_pmp(0, Range::NAPOT, Permission::RX, true);
    }
}
