//! Protection of the end of the stack: makes flash, which is below it (see `memory.x` of the boards), read-only.

use riscv::register::{Permission, Range, pmpaddr0, pmpcfg0};

// Defined in the `memory.x` of the board.
unsafe extern "C" {
    static _flash_start: u8;
    static _flash_size: u8;
}

/// Makes stores to flash fault at every privilege level until the next reset, as they do with real flash.
pub fn protect_flash() {
    let (start, size) = ((&raw const _flash_start).addr(), (&raw const _flash_size).addr());
    // SAFETY: reads and execution remain allowed, and nothing writes to flash. The size is a power of two, encoded in
    // the low bits of the entry, and the start is a multiple of it.
    unsafe {
        pmpaddr0::write((start >> 2) | ((size / 2 - 1) >> 2));
        pmpcfg0::set_pmp(0, Range::NAPOT, Permission::RX, true);
    }
}
