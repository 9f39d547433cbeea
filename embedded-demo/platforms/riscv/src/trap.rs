//! The trap handler. All traps are faults, because no interrupt is enabled.

use core::arch::global_asm;

use expe_demo_platform::Fault;

// The stack may have overflowed, so the handler resets the stack pointer.
global_asm!(
    ".section .trap.start, \"ax\"",
    ".balign 4",
    ".global _start_trap",
    "_start_trap:",
    "mv a0, sp",
    "csrr a1, mcause",
    "csrr a2, mepc",
    "la sp, _stack_start",
    "andi sp, sp, -16",
    "j {fault}",
    fault = sym fault,
);

extern "C" fn fault(pointer: u32, cause: u32, pc: u32) -> ! {
    Fault::from_exception(pointer, cause, pc).end()
}
