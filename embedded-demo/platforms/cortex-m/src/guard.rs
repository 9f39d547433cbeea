//! The guard of the stack, which lies at the start of RAM (see a board's `memory.x`).
//!
//! - Cortex-M3, M4: the memory protection unit forbids all access to the megabyte below.
//! - Cortex-M33, M55: the start-up code of `cortex-m-rt` has set the stack limit register.
//! - Cortex-M0: has neither; there is no memory below RAM, so that an access faults.

use cortex_m::peripheral::MPU;

/// Sets the guard, if the processor has one to set.
#[cfg(armv7m)]
pub fn set(mpu: &MPU) {
    /// `MPU_RBAR`: the low bits name a region.
    const REGION_0: u32 = 1 << 4;
    /// `MPU_RASR`: never executed, no access, 2²⁰ bytes, enabled.
    const MEGABYTE_WITHOUT_ACCESS: u32 = (1 << 28) | (19 << 1) | 1;
    /// `MPU_CTRL`: enabled, with the usual map where no region says otherwise.
    const ENABLED_WITH_DEFAULTS: u32 = (1 << 2) | 1;

    let below = (expe_demo_platform::stack::end() as u32).wrapping_sub(1 << 20);
    // SAFETY: nothing of the program lies there.
    unsafe {
        mpu.rbar.write(below | REGION_0);
        mpu.rasr.write(MEGABYTE_WITHOUT_ACCESS);
        mpu.ctrl.write(ENABLED_WITH_DEFAULTS);
    }
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}

/// Nothing is to be set.
#[cfg(not(armv7m))]
pub const fn set(_: &MPU) {}
