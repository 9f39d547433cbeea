//! The hard fault handler. All faults are hard faults, because no other handler is enabled.
//!
//! The stack is at the start of RAM (see `memory.x` of the boards) with no memory below, so a store below its end
//! faults. Cortex-M33 and M55 also have a stack limit register.

use core::arch::global_asm;

use expe_demo_platform::{Fault, stack};

/// Address of the configurable fault status register.
const STATUS: usize = 0xe000_ed28;
/// Bit of this register that reports an access below the stack limit (Cortex-M33 and M55).
const STACK_LIMIT: u32 = 1 << 20;

/// Index of the program counter in the frame that an exception pushes.
const PC: usize = 6;

// The stack may have overflowed, so the handler resets the stack pointer.
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

/// Handles a hard fault. `pointer` is the stack pointer at the fault.
extern "C" fn fault(pointer: u32) -> ! {
    let status = core::ptr::with_exposed_provenance::<u32>(STATUS);
    // SAFETY: reading this register has no side effects; it reads as zero on a Cortex-M0.
    let cause = unsafe { status.read_volatile() };
    let fault = Fault::from_exception(pointer, cause, 0);
    if cause & STACK_LIMIT != 0 {
        Fault::StackOverflow { pointer, end: stack::end() as u32 }.end()
    }
    if let Fault::Exception { .. } = fault {
        let frame = core::ptr::with_exposed_provenance::<u32>(pointer as usize);
        // SAFETY: the stack has not overflowed, so the processor has pushed a frame there.
        let pc = unsafe { frame.add(PC).read_volatile() };
        Fault::Exception { cause, pc }.end()
    }
    fault.end()
}
