//! Protection of the end of the stack, which is at the start of RAM (see `memory.x` of the boards).
//!
//! - Cortex-M3, M4: the memory protection unit forbids all access to the megabyte below.
//! - Cortex-M33, M55: the start-up code of `cortex-m-rt` sets the stack limit register.
//! - Cortex-M0: it has neither, but there is no memory below RAM, so an access faults.

use cortex_m::peripheral::MPU;

/// Sets up the memory protection unit.
#[cfg(armv7m)]
pub fn set(mpu: &MPU) {
    /// `MPU_RBAR`: the low bits select a region.
    const REGION_0: u32 = 1 << 4;
    /// `MPU_RASR`: execute never, no access, 2²⁰ bytes, enabled.
    const MEGABYTE_WITHOUT_ACCESS: u32 = (1 << 28) | (19 << 1) | 1;
    /// `MPU_CTRL`: enabled, with the default memory map outside of regions.
    const ENABLED_WITH_DEFAULTS: u32 = (1 << 2) | 1;

    let below = (expe_demo_platform::stack::end() as u32).wrapping_sub(1 << 20);
    // SAFETY: no part of the program lies in this megabyte.
    unsafe {
        mpu.rbar.write(below | REGION_0);
        mpu.rasr.write(MEGABYTE_WITHOUT_ACCESS);
        mpu.ctrl.write(ENABLED_WITH_DEFAULTS);
    }
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}

/// Does nothing: this processor needs no set-up.
#[cfg(not(armv7m))]
pub const fn set(_: &MPU) {}
