//! Faults: all of them arrive as hard faults, since no other handler is enabled.
//!
//! The stack lies at the start of RAM (see a board's `memory.x`), below which there is nothing: a
//! store beyond its end faults. A Cortex-M33 or M55 also has a register with the limit.

use core::arch::global_asm;

use expe_demo_platform::{Fault, stack};

/// The address of the configurable fault status register.
const STATUS: usize = 0xe000_ed28;
/// Its bit for an access below the stack limit, on a Cortex-M33 or M55.
const STACK_LIMIT: u32 = 1 << 20;

/// The program counter in the frame that an exception stores, in words.
const PC: usize = 6;

// The handler must not use a stack that may have overflowed, so it starts a new one.
global_asm!(
    ".section .HardFault.user, \"ax\"",
    ".global HardFault",
    ".type HardFault,%function",
    ".thumb_func",
    "HardFault:",
    "mov r0, sp",
    "ldr r1, =_stack_start",
    "mov sp, r1",
    "bl {fault}",
    "udf #0",
    ".size HardFault, . - HardFault",
    fault = sym fault,
);

/// What the hard fault handler does with the stack pointer that it found.
extern "C" fn fault(pointer: u32) -> ! {
    let status = core::ptr::with_exposed_provenance::<u32>(STATUS);
    // SAFETY: a readable register, or zero on a Cortex-M0.
    let cause = unsafe { status.read_volatile() };
    let fault = Fault::of_exception(pointer, cause, 0);
    if cause & STACK_LIMIT != 0 {
        Fault::StackOverflow { pointer, end: stack::end() as u32 }.end()
    }
    if let Fault::Exception { .. } = fault {
        let frame = core::ptr::with_exposed_provenance::<u32>(pointer as usize);
        // SAFETY: the stack has not overflowed, so the processor has stored its frame there.
        let pc = unsafe { frame.add(PC).read_volatile() };
        Fault::Exception { cause, pc }.end()
    }
    fault.end()
}
